/**
 * The marker: a row that every lane replicates. Written on the publisher, awaited on the subscriber;
 * when it has arrived, everything committed before it has arrived too.
 */

import type { Lsn } from '../domain/lsn.ts';
import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, list, literal, type Sql, sql, trusted } from './sql.ts';

const START = 'start';

export const createMarkerTableSql = (table: TableName): Sql =>
  sql`CREATE TABLE IF NOT EXISTS ${nameOf(table)} (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), token text NOT NULL, at timestamptz NOT NULL)`;

const nameOf = ({ schema, name }: TableName): Sql => ident(schema, name);

const insertSql = (table: TableName): Sql =>
  sql`INSERT INTO ${nameOf(table)} VALUES (true, ${literal(START)}, clock_timestamp()) ON CONFLICT DO NOTHING`;

/** One row, the same on both sides from the start, so that only UPDATEs of it travel. */
export const createMarkerSql = (table: TableName): Sql =>
  sql`${createMarkerTableSql(table)}; ${insertSql(table)}`;

export const emptyMarkerSql = (table: TableName): Sql => sql`DELETE FROM ${nameOf(table)}`;

/** In one transaction, so that the row travels as a new one. */
export const renewMarkerSql = (table: TableName): Sql =>
  sql`BEGIN; ${emptyMarkerSql(table)}; ${insertSql(table)}; COMMIT`;

/** Whether one has come to the subscriber yet. */
export async function hasTravelled(subscriber: Connection, table: TableName): Promise<boolean> {
  const rows = await subscriber.query(sql`SELECT FROM ${nameOf(table)} WHERE token <> ${START}`);
  return rows.length > 0;
}

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

/** Abort signals are looked at this often. */
const SLICE_MS = 100;

/**
 * Waits for the token, on the server: in the pause every millisecond counts, and a round trip for each look is one.
 *
 * @returns where the subscriber's next WAL record went when all had arrived; undefined when `timeoutMs` passed first
 */
export async function awaitMarkers(
  subscriber: Connection,
  tables: readonly TableName[],
  token: string,
  options: { timeoutMs: number; intervalMs: number; signal?: AbortSignal | undefined },
): Promise<Lsn | undefined> {
  const tokens = tables.map((table) => sql`SELECT token FROM ${ident(table.schema, table.name)}`);
  // Each of them: a row that somebody has deleted is on its way yet, as what is behind it.
  const arrived = sql`(SELECT bool_and(t.token = ${literal(token)}) AND count(*) = ${trusted(String(tables.length))} FROM (${list(tokens, ' UNION ALL ')}) t)`;
  const looks = Math.ceil(SLICE_MS / options.intervalMs);
  const wait = sql`BEGIN
    FOR look IN 1..${trusted(String(looks))} LOOP
      EXIT WHEN ${arrived};
      PERFORM pg_sleep(${trusted(String(options.intervalMs / 1000))});
    END LOOP;
  END`;
  const statements = sql`DO ${literal(wait.text)};
    SELECT CASE WHEN ${arrived} THEN pg_current_wal_insert_lsn()::text END AS lsn`;
  const started = performance.now();
  for (;;) {
    const [, rows] = await subscriber.scriptResults<{ lsn: Lsn | null }>(statements);
    const lsn = rows?.[0]?.lsn ?? undefined;
    if (lsn !== undefined || performance.now() - started > options.timeoutMs) return lsn;
    options.signal?.throwIfAborted();
  }
}
