/** What only the target is asked. */

import type { AvailableExtension, TargetObject } from '../../domain/preflight/facts.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { belongsToExtension, relationInScope, schemaInScope } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';
import { ifAllowed } from './attempt.ts';

export const readAvailableExtensions = (connection: Connection): Promise<AvailableExtension[]> =>
  connection.query(sql`
    SELECT name::text AS name, coalesce(default_version, '') AS "defaultVersion"
    FROM pg_available_extensions ORDER BY name`);

export async function readMigrationPhase(connection: Connection, name: string): Promise<string | undefined> {
  const rows = await ifAllowed(() =>
    connection.query<{ phase: string }>(sql`SELECT phase FROM pgglide.migration WHERE name = ${name}`),
  );
  return rows?.[0]?.phase;
}

export async function readOtherMigrations(connection: Connection, name: string): Promise<string[]> {
  const rows = await ifAllowed(() =>
    connection.query<{ name: string }>(sql`
      SELECT name FROM pgglide.migration
      WHERE name <> ${name} AND phase IN ('syncing', 'following', 'switched') ORDER BY 1`),
  );
  return rows?.map((row) => row.name) ?? [];
}

/** Enough of them to name; a sequence or index that goes with its table is not listed. */
export const readTargetObjects = (connection: Connection, scope: Scope): Promise<TargetObject[]> =>
  connection.query(sql`
    SELECT kind, "sqlName" FROM (
      ${relations(scope)} UNION ALL ${functions(scope)} UNION ALL ${types(scope)}) AS found(kind, "sqlName")
    ORDER BY kind, "sqlName" LIMIT 100`);

const relations = (scope: Scope): Sql => sql`
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
      WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition AND ${relationInScope(scope)}
    AND NOT (c.relkind = 'S' AND EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')))`;

const functions = (scope: Scope): Sql => sql`
  SELECT 'function', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE ${schemaInScope(scope)} AND NOT ${belongsToExtension(sql`'pg_proc'::regclass`, sql`p.oid`)}
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')`;

const types = (scope: Scope): Sql => sql`
  SELECT 'type', format('%I.%I', n.nspname, t.typname)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND ${schemaInScope(scope)}
    AND NOT ${belongsToExtension(sql`'pg_type'::regclass`, sql`t.oid`)}`;
