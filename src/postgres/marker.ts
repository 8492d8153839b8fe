/**
 * The marker: a row that every lane replicates. Written on the publisher, awaited on the subscriber;
 * when it has arrived, everything committed before it has arrived too.
 */

import { sleep } from '../base/async.ts';
import type { Lsn } from '../domain/lsn.ts';
import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, list, type Sql, sql } from './sql.ts';

/** One row, the same on both sides from the start, so that only UPDATEs of it travel. */
export const createMarkerSql = (table: TableName): Sql => sql`
  CREATE TABLE IF NOT EXISTS ${ident(table.schema, table.name)} (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), token text NOT NULL, at timestamptz NOT NULL);
  INSERT INTO ${ident(table.schema, table.name)} VALUES (true, 'start', clock_timestamp()) ON CONFLICT DO NOTHING`;

export const dropMarkerSql = (table: TableName): Sql =>
  sql`DROP TABLE IF EXISTS ${ident(table.schema, table.name)}`;

/** Writes `token` into every lane's marker, in one transaction. Returns a WAL position behind all earlier commits. */
export async function writeMarkers(
  publisher: Connection,
  tables: readonly TableName[],
  token: string,
): Promise<Lsn> {
  const updates = tables.map(
    (table, index) =>
      sql`${ident(`m${index}`)} AS (UPDATE ${ident(table.schema, table.name)} SET token = ${token}, at = clock_timestamp())`,
  );
  const { lsn } = await publisher.one<{ lsn: string }>(
    sql`WITH ${list(updates)} SELECT pg_current_wal_insert_lsn()::text AS lsn`,
  );
  return lsn;
}

/** True once every lane has brought `token`. */
async function markersArrived(
  subscriber: Connection,
  tables: readonly TableName[],
  token: string,
): Promise<boolean> {
  const tokens = tables.map((table) => sql`SELECT token FROM ${ident(table.schema, table.name)}`);
  const { arrived } = await subscriber.one<{ arrived: boolean }>(
    sql`SELECT bool_and(t.token = ${token}) AS arrived FROM (${list(tokens, ' UNION ALL ')}) t`,
  );
  return arrived;
}

/**
 * Waits for the token. In the pause every millisecond counts, so it asks at once and then every `intervalMs`.
 * @returns false when `timeoutMs` passed first
 */
export async function awaitMarkers(
  subscriber: Connection,
  tables: readonly TableName[],
  token: string,
  options: { timeoutMs: number; intervalMs: number; signal?: AbortSignal | undefined },
): Promise<boolean> {
  const started = performance.now();
  while (!(await markersArrived(subscriber, tables, token))) {
    if (performance.now() - started > options.timeoutMs) return false;
    await sleep(options.intervalMs, options.signal);
  }
  return true;
}
