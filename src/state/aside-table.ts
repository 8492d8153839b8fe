/** Tables beside replication whose rows sync has copied; forgotten by a crash that loses the rows. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

/** qualified() names. */
export async function copiedAside(target: Connection, migration: string): Promise<Set<string>> {
  return new Set((await readCopiedAside(target, migration)).map(qualified));
}

async function readCopiedAside(target: Connection, migration: string): Promise<TableName[]> {
  if (!(await tableExists(target, 'aside_table'))) return [];
  return target.query<TableName>(sql`
    SELECT schema_name AS schema, table_name AS name FROM pgglide.aside_table WHERE migration = ${migration}`);
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

/** Of all but these: what is logged by now is copied by a link, or by nobody. */
export async function forgetCopiedAside(
  target: Connection,
  migration: string,
  stillAside: ReadonlySet<string>,
): Promise<void> {
  const gone = (await readCopiedAside(target, migration)).filter(
    (table) => !stillAside.has(qualified(table)),
  );
  if (gone.length === 0) return;
  await target.execute(sql`
    DELETE FROM pgglide.aside_table a USING json_to_recordset(${JSON.stringify(gone)}::json) AS t(schema text, name text)
    WHERE a.migration = ${migration} AND a.schema_name = t.schema AND a.table_name = t.name`);
}
