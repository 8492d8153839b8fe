/** The write-ahead log's position, and making it durable. */

import type { Lsn } from '../domain/lsn.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Where the next record goes: everything committed so far is before it. */
export async function insertLsn(connection: Connection): Promise<Lsn> {
  const { lsn } = await connection.one<{ lsn: string }>(sql`SELECT pg_current_wal_insert_lsn()::text AS lsn`);
  return lsn;
}

/**
 * Flushes all WAL written so far. Apply workers commit asynchronously; a synchronous commit
 * of our own (a transactional message gives it something to commit) takes theirs to disk with it.
 */
export async function flushWal(connection: Connection): Promise<void> {
  await connection.query(sql`SELECT pg_logical_emit_message(true, 'pgglide', 'flush')`);
}
