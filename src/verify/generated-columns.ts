/** Columns that are stored and that no comparison reads. */

import type { TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/** "schema.table.column" of these tables: neither copied nor replicated, but computed by each server. */
export async function generatedColumns(
  connection: Connection,
  tables: readonly TableName[],
): Promise<string[]> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  const rows = await connection.query<{ name: string }>(sql`
    SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name
    FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = 's' AND NOT a.attisdropped
    ORDER BY 1`);
  return rows.map(({ name }) => name);
}
