/** Chooses binary or text for every table from both servers' catalogs. */

import type { PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { CopyFormat } from './parts.ts';
import { type TypeRow, typeSignature } from './type-signature.ts';

/**
 * Binary wherever both sides understand it alike: it costs half the CPU and has no 512 MB limit on a value
 * (bytea and text double in text format, and a value over 1 GB cannot be sent).
 * Text also when an encoding is not UTF8, since only text format can be told which encoding it is in.
 */
export async function chooseFormats(
  source: Connection,
  target: Connection,
): Promise<(table: PlannedTable) => CopyFormat> {
  const encodings = await Promise.all([serverEncoding(source), serverEncoding(target)]);
  if (encodings.some((encoding) => encoding !== 'UTF8')) return () => 'text';
  const [from, to] = await Promise.all([columnSignatures(source), columnSignatures(target)]);
  return (table) => {
    const isBinary = table.columns.every((column) => {
      const key = columnKey(table.schema, table.name, column);
      return from.get(key) !== undefined && from.get(key) === to.get(key);
    });
    return isBinary ? 'binary' : 'text';
  };
}

/** As PostgreSQL spells it: "UTF8", "SQL_ASCII". */
export async function serverEncoding(connection: Connection): Promise<string> {
  const row = await connection.one<{ encoding: string }>(
    sql`SELECT pg_catalog.current_setting('server_encoding') AS encoding`,
  );
  return row.encoding;
}

/** One text for the three names, whatever they hold. */
export const columnKey = (schema: string, table: string, column: string): string =>
  JSON.stringify([schema, table, column]);

async function columnSignatures(connection: Connection): Promise<ReadonlyMap<string, string | undefined>> {
  const [types, columns] = [await readTypes(connection), await readColumns(connection)];
  const signatures = new Map([...types.keys()].map((oid) => [oid, typeSignature(oid, types)]));
  return new Map(
    columns.map(({ schema, table, column, type }) => [
      columnKey(schema, table, column),
      signatures.get(type),
    ]),
  );
}

interface ColumnRow {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: number;
}

async function readColumns(connection: Connection): Promise<ColumnRow[]> {
  return connection.query<ColumnRow>(sql`
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, a.atttypid::int8 AS type
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`);
}

/** pg_range has no rngmultitypid before 14: asked by way of jsonb, so that one statement serves all versions. */
async function readTypes(connection: Connection): Promise<ReadonlyMap<number, TypeRow>> {
  const rows = await connection.query<TypeRow>(sql`
    SELECT t.oid::int8 AS oid, n.nspname AS schema, t.typname AS name, t.typtype::text AS kind,
      t.typsend <> 0 AND t.typreceive <> 0 AS "hasBinaryForm",
      CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE 0 END::int8 AS element,
      coalesce(nullif(t.typbasetype, 0), r.rngsubtype, m.rngtypid, 0)::int8 AS inner,
      CASE WHEN t.typtype <> 'c' THEN '[]' ELSE coalesce((
        SELECT json_agg(a.atttypid::int8 ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') END AS attributes
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_range m ON to_jsonb(m) ->> 'rngmultitypid' = t.oid::text`);
  return new Map(rows.map((row) => [row.oid, row]));
}
