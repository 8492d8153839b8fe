/** What both sides had in common of their roles: what role drift is measured against. */

import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

/** Empty before the first sync, and in the schema of an older version. */
export async function readRoleRecord<Facts>(
  target: Connection,
  migration: string,
): Promise<Map<string, Facts | null>> {
  if (!(await tableExists(target, 'role_record'))) return new Map();
  const rows = await target.query<{ name: string; facts: Facts | null }>(
    sql`SELECT role_name AS name, facts FROM pgglide.role_record WHERE migration = ${migration}`,
  );
  return new Map(rows.map(({ name, facts }) => [name, facts]));
}

export async function saveRoleRecord<Facts>(
  target: Connection,
  migration: string,
  record: ReadonlyMap<string, Facts | null>,
): Promise<void> {
  const rows = [...record].map(([name, facts]) => ({ name, facts }));
  await target.execute(sql`
    WITH gone AS (DELETE FROM pgglide.role_record WHERE migration = ${migration} AND role_name <> ALL (${[...record.keys()]}::text[]))
    INSERT INTO pgglide.role_record (migration, role_name, facts)
    SELECT ${migration}, r.name, nullif(r.facts, 'null')
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r(name text, facts jsonb)
    ON CONFLICT (migration, role_name) DO UPDATE SET facts = excluded.facts`);
}
