/** Replication origins. https://www.postgresql.org/docs/current/replication-origins.html */

import type { Lsn } from '../domain/lsn.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * Lets a disabled subscription start at `lsn` of its publisher. WAL-logged, and flushed here: a slot
 * advanced by hand falls back after a crash, an origin does not.
 */
export async function advanceOrigin(connection: Connection, origin: string, lsn: Lsn): Promise<void> {
  await connection.query(sql`
    SELECT pg_replication_origin_advance(${origin}, ${lsn}::pg_lsn),
           pg_logical_emit_message(true, 'pgglide', 'origin advanced')`);
}
