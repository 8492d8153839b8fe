/** What this migration has changed on the target outside of its schemas: of the database, and of roles that were there before. */

import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

export interface ClusterChange {
  /** Without secrets. */
  readonly description: string;
  /** Dropping one of them undoes it. */
  readonly roles: readonly string[];
}

/** Call it inside the transaction that changes them. */
export async function recordClusterChanges(
  target: Connection,
  migration: string,
  changes: readonly ClusterChange[],
): Promise<void> {
  const rows = changes.map(({ description, roles }) => ({ description, roles }));
  await target.execute(sql`
    INSERT INTO pgglide.cluster_change (migration, description, roles)
    SELECT ${migration}, c.description, c.roles
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS c(description text, roles text[]) ON CONFLICT DO NOTHING`);
}

export async function readClusterChanges(target: Connection, migration: string): Promise<ClusterChange[]> {
  if (!(await tableExists(target, 'cluster_change'))) return [];
  return target.query<ClusterChange>(sql`
    SELECT description, roles FROM pgglide.cluster_change WHERE migration = ${migration} ORDER BY 1`);
}
