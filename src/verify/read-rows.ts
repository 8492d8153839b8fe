/** Rows read again, by key or by hash, with all their values. */

import type { Connection } from '../postgres/connection.ts';
import { ident, list, type Sql, sql, trusted } from '../postgres/sql.ts';
import type { ComparedTable, KeyColumn } from './compared-table.ts';
import { hashedPart } from './fingerprint.ts';
import type { HeapPart } from './heap-part.ts';
import { type HashMethod, rowHashSql } from './row-hash.ts';
import { exactTexts, fromTable, shownTexts } from './row-text.ts';

export interface ReadRow {
  readonly hash: string;
  /** In the order of the table's columns; empty when only the hash was asked for. */
  readonly values: readonly (string | null)[];
}

export interface KeyReading {
  readonly keys: readonly (readonly string[])[];
  /** `shown`: for people, large values as their hash. `exact`: to write them elsewhere. */
  readonly values: 'none' | 'shown' | 'exact';
  /** Keeps the rows as they are until the transaction ends: their writers wait. */
  readonly lock?: 'FOR SHARE';
}

const KEYS_A_QUERY = 1_000;

/** The rows with these keys, in the order of the keys; undefined where there is none. Goes by the key's index. */
export async function readRowsByKey(
  connection: Connection,
  table: ComparedTable,
  method: HashMethod,
  reading: KeyReading,
): Promise<(ReadRow | undefined)[]> {
  const { keys } = reading;
  const rows: (ReadRow | undefined)[] = keys.map(() => undefined);
  for (let start = 0; start < keys.length; start += KEYS_A_QUERY) {
    const some = { ...reading, keys: keys.slice(start, start + KEYS_A_QUERY) };
    const found = await connection.query<ReadRow & { n: number }>(byKeySql(table, method, some));
    for (const { n, hash, values } of found) rows[start + n] = { hash, values };
  }
  return rows;
}

const byKeySql = (table: ComparedTable, method: HashMethod, reading: KeyReading): Sql => sql`
  SELECT w.n, ${rowHashSql(table.columns, method, 0)}::text AS hash, ${valuesSql(table, method, reading)} AS values
  FROM ${keyList(table, reading.keys)} JOIN ${fromTable(table)} ON ${matchesKeyList(table)}
  ${reading.lock === undefined ? sql`` : sql`FOR SHARE OF t`}`;

function valuesSql(table: ComparedTable, method: HashMethod, { values }: KeyReading): Sql {
  if (values === 'none') return sql`ARRAY[]::text[]`;
  return values === 'exact' ? exactTexts(table.columns) : shownTexts(table.columns, method);
}

/** The keys as a relation w(n, k0, k1, ...), n from 0. */
export function keyList(table: ComparedTable, keys: readonly (readonly string[])[]): Sql {
  const names = table.key.map((_, index) => ident(`k${index}`));
  const arrays = table.key.map((_, index) => sql`${keys.map((key) => key[index] ?? null)}::text[]`);
  const casts = table.key.map(
    (column, index) => sql`u.${ident(`k${index}`)}::${trusted(column.type)} AS ${ident(`k${index}`)}`,
  );
  return sql`(SELECT (u.n - 1)::int AS n, ${list(casts)}
    FROM unnest(${list(arrays)}) WITH ORDINALITY AS u(${list(names)}, n) OFFSET 0) AS w`;
}

/** That the row t has the key of w. */
export const matchesKeyList = (table: ComparedTable): Sql =>
  list(
    table.key.map((column, index) => keyEquals(column, sql`w.${ident(`k${index}`)}`)),
    ' AND ',
  );

/** By the index's own operator, which need not be on the search path. */
const keyEquals = (column: KeyColumn, value: Sql): Sql =>
  sql`t.${ident(column.name)} OPERATOR(${ident(column.equals.schema)}.${trusted(column.equals.name)}) ${value}`;

/** The values, as shown to people, of one row of each of these hashes, as far as the part holds them. */
export async function readRowsByHash(
  connection: Connection,
  table: ComparedTable,
  method: HashMethod,
  { part, hashes }: { readonly part: HeapPart; readonly hashes: readonly string[] },
): Promise<ReadRow[]> {
  const rows = { columns: table.columns, method, bits: 64 as const };
  const wanted = await connection.query<{ hash: string; ctid: string }>(sql`
    SELECT DISTINCT ON (r.h0) r.h0::text AS hash, r.place::text AS ctid
    FROM ${hashedPart(part, rows, [sql`t.ctid AS place`])} WHERE r.h0 = ANY (${hashes}::bigint[])`);
  return connection.query<ReadRow>(sql`
    SELECT ${rowHashSql(table.columns, method, 0)}::text AS hash, ${shownTexts(table.columns, method)} AS values
    FROM ONLY ${ident(part.heap.schema, part.heap.name)} AS t
    WHERE t.ctid = ANY (${wanted.map(({ ctid }) => ctid)}::tid[])`);
}
