/** Tables beside replication whose rows sync has copied; forgotten by a crash that loses the rows. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

/** qualified() names. */
export async function copiedAside(target: Connection, migration: string): Promise<Set<string>> {
  if (!(await tableExists(target, 'aside_table'))) return new Set();
  const rows = await target.query<TableName>(sql`
    SELECT schema_name AS schema, table_name AS name FROM pgglide.aside_table WHERE migration = ${migration}`);
  return new Set(rows.map(qualified));
}

export async function recordCopiedAside(
  target: Connection,
  migration: string,
  tables: readonly TableName[],
): Promise<void> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  await target.execute(sql`
    INSERT INTO pgglide.aside_table (migration, schema_name, table_name)
    SELECT ${migration}, schema, name FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
    ON CONFLICT DO NOTHING`);
}
