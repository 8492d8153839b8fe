/** Roles that this migration created on the target. */

import type { Connection } from '../postgres/connection.ts';
import { ident, sql, trusted } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

export async function recordCreatedRoles(
  target: Connection,
  migration: string,
  roles: readonly string[],
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.created_role (migration, role_name)
    SELECT ${migration}, r FROM unnest(${roles}::text[]) AS r ON CONFLICT DO NOTHING`);
}

export async function createdRoles(target: Connection, migration: string): Promise<string[]> {
  if (!(await tableExists(target, 'created_role'))) return [];
  const rows = await target.query<{ name: string }>(
    sql`SELECT role_name AS name FROM pgglide.created_role WHERE migration = ${migration} ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

/** What is left of such roles in one database of several. A failure shows when the role itself is to go. */
export async function dropOwned(target: Connection, roles: readonly string[]): Promise<void> {
  const there = await target.query<{ name: string }>(
    sql`SELECT rolname AS name FROM pg_roles WHERE rolname = ANY (${roles}::text[])`,
  );
  for (const { name } of there) await letGo(target, name).catch(() => undefined);
}

/** Who made a role has not its rights by that, and DROP OWNED takes them, also where nothing is its own. */
async function takeRights(target: Connection, role: string): Promise<void> {
  const { hasRights, mustSay } = await target.one<{ hasRights: boolean; mustSay: boolean }>(sql`
    SELECT pg_has_role(${role}, 'USAGE') AS "hasRights", current_setting('server_version_num')::int >= 160000 AS "mustSay"`);
  if (hasRights) return;
  const inherited = trusted(mustSay ? ' WITH INHERIT TRUE' : '');
  await target.script(sql`GRANT ${ident(role)} TO CURRENT_USER${inherited}`);
}

/** DROP OWNED takes no database: one that the sync gave to the role is ours again. */
async function letGo(target: Connection, role: string): Promise<void> {
  await takeRights(target, role);
  const given = await target.query<{ name: string }>(sql`
    SELECT datname AS name FROM pg_database
    WHERE datname = current_database() AND pg_get_userbyid(datdba) = ${role}`);
  for (const { name } of given) await target.script(sql`ALTER DATABASE ${ident(name)} OWNER TO CURRENT_USER`);
  await target.script(sql`DROP OWNED BY ${ident(role)}`);
}

/** @returns what could not be dropped: a role that owns something in another database stays */
export async function dropRoles(target: Connection, roles: readonly string[]): Promise<string[]> {
  const kept: string[] = [];
  for (const role of roles) {
    await target
      .transaction(async () => {
        const { there } = await target.one<{ there: boolean }>(
          sql`SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ${role}) AS there`,
        );
        if (!there) return;
        await letGo(target, role);
        await target.script(sql`DROP ROLE ${ident(role)}`);
      })
      .catch((error: Error) => {
        kept.push(`target: role ${role}: ${error.message}`);
      });
  }
  return kept;
}
