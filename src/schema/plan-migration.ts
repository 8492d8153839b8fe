/** The plan of a migration: what the source holds, against what the target can take. */

import type { Plan } from '../domain/plan.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { readRoles } from '../postgres/roles.ts';
import { sql } from '../postgres/sql.ts';
import { usableTablespaces } from './dump-for-target.ts';
import { planTables } from './plan-tables.ts';
import { roleStatements } from './role-statements.ts';
import { countLabels, missingProviders } from './security-labels.ts';

/** Reads only, on both servers. */
export async function planMigration(source: Connection, target: Connection, scope: Scope): Promise<Plan> {
  const plan = await planTables(source, scope);
  const notCarried = [
    ...plan.notCarried,
    ...(await tablespaces(source, target)),
    ...(await labels(source, target)),
    ...(await roles(source, target)),
  ];
  return { ...plan, notCarried };
}

type NotCarried = Plan['notCarried'];

async function roles(source: Connection, target: Connection): Promise<NotCarried> {
  return roleStatements(await readRoles(source), await readRoles(target)).notCarried;
}

async function labels(source: Connection, target: Connection): Promise<NotCarried> {
  const counted = await countLabels(source);
  const missing = await missingProviders(target, counted);
  return counted.flatMap(({ provider, inDatabase, shared }) => {
    const object = `security labels of ${provider}`;
    return [
      ...(inDatabase > 0 && missing.has(provider)
        ? [{ object, reason: `${inDatabase}, because the target has not loaded this provider` }]
        : []),
      ...(shared > 0
        ? [{ object, reason: `${shared} on roles, tablespaces and the database: they belong to the cluster` }]
        : []),
    ];
  });
}

async function tablespaces(source: Connection, target: Connection): Promise<NotCarried> {
  const there = await usableTablespaces(target);
  const used = await source.query<{ name: string; count: number }>(sql`
    SELECT t.spcname AS name, count(*) AS count
    FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
    WHERE t.spcname !~ '^pg_' GROUP BY t.spcname ORDER BY 1`);
  return used
    .filter(({ name }) => !there.has(name))
    .map(({ name, count }) => ({
      object: `tablespace ${name}`,
      reason: `${count} tables and indexes go to the target's default tablespace: it has none of this name that our role may use`,
    }));
}
