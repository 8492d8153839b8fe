/**
 * Columns of char(n) whose values are mostly padding. Their blanks need not travel: the target's input adds them again,
 * and counts characters only of what it gets.
 *
 * @see https://www.postgresql.org/docs/current/datatype-character.html
 */

import { type Heap, type PlannedTable, tableBytes } from '../domain/plan.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { ident, list, type Sql, sql } from '../postgres/sql.ts';
import { INSUFFICIENT_PRIVILEGE } from '../postgres/sqlstate.ts';
import { columnKey } from './formats.ts';

/** Shorter ones are not worth a function call for each row, nor smaller tables a look at their rows. */
const SHORTEST_CHARACTERS = 16;
const SMALLEST_TABLE_BYTES = 16 * 1024 * 1024;
/** On the average of the rows looked at: a call costs about as much as sending and taking so many bytes. */
const LEAST_PADDING_BYTES = 16;
const ROWS_LOOKED_AT = 1_000;

/** The value without the blanks at its end, as binary COPY sends it: as bytes, since text's own trimming is ten times as slow. */
export const unpadded = (column: string): Sql =>
  sql`pg_catalog.rtrim(pg_catalog.bpcharsend(${ident(column)}), '\\x20'::pg_catalog.bytea)`;

/** Of tables that travel in binary; from a source that can trim bytes (from PostgreSQL 14 on). */
export async function paddedColumns(
  source: Connection,
  target: Connection,
  tables: readonly PlannedTable[],
): Promise<ReadonlyMap<PlannedTable, readonly string[]>> {
  const large = tables.filter((table) => tableBytes(table) >= SMALLEST_TABLE_BYTES);
  const padded = new Map<PlannedTable, readonly string[]>();
  if (large.length === 0) return padded;
  const [from, to] = await Promise.all([fixedLengths(source), fixedLengths(target)]);
  for (const table of large) {
    const candidates = table.columns.filter((column) => {
      const key = columnKey(table.schema, table.name, column);
      return from.has(key) && from.get(key) === to.get(key);
    });
    const heap = largest(table.heaps);
    if (candidates.length > 0 && heap !== undefined)
      padded.set(table, await mostlyPadding(source, heap, candidates));
  }
  return padded;
}

const largest = (heaps: readonly Heap[]): Heap | undefined =>
  heaps.reduce<Heap | undefined>((best, heap) => (heap.bytes > (best?.bytes ?? -1) ? heap : best), undefined);

/** Characters of each char(n); a bpchar without a length keeps its blanks, and so do domains, which may check them. */
async function fixedLengths(connection: Connection): Promise<ReadonlyMap<string, number>> {
  const rows = await connection.query<{ schema: string; table: string; column: string; characters: number }>(
    sql`
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, a.atttypmod - 4 AS characters
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.atttypid = 'pg_catalog.bpchar'::regtype AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypmod - 4 >= ${SHORTEST_CHARACTERS}::int`,
  );
  return new Map(
    rows.map(({ schema, table, column, characters }) => [columnKey(schema, table, column), characters]),
  );
}

async function mostlyPadding(
  source: Connection,
  heap: Heap,
  columns: readonly string[],
): Promise<readonly string[]> {
  const padding = (column: string): Sql =>
    sql`coalesce(avg(octet_length(${ident(column)}) - octet_length(${unpadded(column)})), 0)::float8`;
  const look = source.query<{ padding: number[] }>(sql`
    SELECT ARRAY[${list(columns.map(padding))}] AS padding
    FROM (SELECT * FROM ONLY ${ident(heap.schema, heap.name)} LIMIT ${ROWS_LOOKED_AT}::int) AS looked_at`);
  const [row] = await look.catch((error: unknown) => {
    // Whoever may not read it will be told by the copy itself.
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) return [];
    throw error;
  });
  return columns.filter((_, index) => (row?.padding[index] ?? 0) >= LEAST_PADDING_BYTES);
}
