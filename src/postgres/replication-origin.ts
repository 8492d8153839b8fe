/** Replication origins. https://www.postgresql.org/docs/current/replication-origins.html */

import type { Lsn } from '../domain/lsn.ts';
import type { Connection } from './connection.ts';
import { list, sql } from './sql.ts';

/**
 * Lets disabled subscriptions start at `lsn` of their publisher, all in one round trip. WAL-logged, and flushed here: a slot
 * advanced by hand falls back after a crash, an origin does not.
 */
export async function advanceOrigins(
  connection: Connection,
  origins: readonly string[],
  lsn: Lsn,
): Promise<void> {
  const advance = origins.map((origin) => sql`pg_replication_origin_advance(${origin}, ${lsn}::pg_lsn)`);
  const flush = sql`pg_logical_emit_message(true, 'pgglide', 'origins advanced')`;
  await connection.query(sql`SELECT ${list([...advance, flush])}`);
}
