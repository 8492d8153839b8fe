/** Where tables that we know are now: under another name, or gone. */

import type { Located, Whereabouts } from '../domain/follow-tables.ts';
import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

export type Known = TableName & { readonly oid: number | undefined };

/** By oid where it is known and there, else by name. */
export async function locateTables(connection: Connection, tables: readonly Known[]): Promise<Located> {
  const wanted = tables.map(({ schema, name, oid }, place) => ({ place, schema, name, oid }));
  const rows = await connection.query<Whereabouts & { place: number }>(sql`
    SELECT w.place, n.nspname AS schema, c.relname AS name, c.oid::int8 AS oid, s.oid IS NOT NULL AS "isSame"
    FROM json_to_recordset(${JSON.stringify(wanted)}::json) AS w(place int, schema text, name text, oid int8)
    LEFT JOIN pg_class s ON s.oid = w.oid::oid AND s.relkind IN ('r', 'p')
    LEFT JOIN pg_namespace b ON b.nspname = w.schema
    LEFT JOIN pg_class o ON o.relnamespace = b.oid AND o.relname = w.name AND o.relkind IN ('r', 'p')
    JOIN pg_class c ON c.oid = coalesce(s.oid, o.oid)
    JOIN pg_namespace n ON n.oid = c.relnamespace`);
  const found = new Map(
    rows.map(({ place, schema, name, oid, isSame }) => [place, { schema, name, oid, isSame }]),
  );
  return tables.map((_, place) => found.get(place));
}
