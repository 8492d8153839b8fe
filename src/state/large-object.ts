/** The oids of large objects that both sides had when they were last carried over. */

import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

export async function sharedLargeObjects(target: Connection, migration: string): Promise<Set<number>> {
  if (!(await tableExists(target, 'large_object'))) return new Set();
  const rows = await target.query<{ oid: number }>(
    sql`SELECT loid::bigint AS oid FROM pgglide.large_object WHERE migration = ${migration}`,
  );
  return new Set(rows.map(({ oid }) => oid));
}

export async function recordLargeObjects(
  target: Connection,
  migration: string,
  oids: readonly number[],
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.large_object (migration, loid)
    SELECT ${migration}, oid FROM unnest(${oids}::oid[]) AS oid ON CONFLICT DO NOTHING`);
}
