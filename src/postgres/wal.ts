/** Making the write-ahead log durable. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * Flushes all WAL written so far. Apply workers commit asynchronously; a synchronous commit
 * of our own (a transactional message gives it something to commit) takes theirs to disk with it.
 */
export async function flushWal(connection: Connection): Promise<void> {
  await connection.query(sql`SELECT pg_logical_emit_message(true, 'pgglide', 'flush')`);
}
