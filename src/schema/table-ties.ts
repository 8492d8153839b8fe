/** Reads which tables must be applied by one and the same worker. */

import type { TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { firesInReplica } from '../postgres/replica-trigger.ts';
import { schemaInScope } from '../postgres/scope.ts';
import { type Sql, sql } from '../postgres/sql.ts';

const rootOf = (relation: Sql): Sql => sql`coalesce(pg_partition_root(${relation})::oid, ${relation})`;

/**
 * By the table's oid. A foreign key ties two tables, because a replicated TRUNCATE empties exactly the tables of one lane and is
 * refused when another one refers to them. Triggers that fire for the apply worker may touch anything: their tables are
 * tied to each other. A partition counts as its root.
 */
export async function readTies(
  connection: Connection,
  scope: Scope,
): Promise<ReadonlyMap<number, readonly TableName[]>> {
  const rows = await connection.query<TableName & { readonly oid: number }>(sql`
    SELECT DISTINCT tie.a::int8 AS oid, n.nspname AS schema, c.relname AS name
    FROM (
      SELECT ${rootOf(sql`k.conrelid`)} AS a, ${rootOf(sql`k.confrelid`)} AS b FROM pg_constraint k WHERE k.contype = 'f'
      UNION ALL
      SELECT f.a, min(f.a) OVER () FROM (
        SELECT ${rootOf(sql`t.tgrelid`)} AS a
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE ${firesInReplica(sql`t`)} AND ${schemaInScope(scope)}) AS f) AS tie
    JOIN pg_class c ON c.oid = tie.b JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE tie.a <> tie.b
    ORDER BY 1, 2, 3`);
  const ties = new Map<number, TableName[]>();
  for (const { oid, schema, name } of rows) ties.set(oid, [...(ties.get(oid) ?? []), { schema, name }]);
  return ties;
}

/** Whether a foreign key of another table refers to one of these. */
export async function areReferenced(connection: Connection, tables: readonly TableName[]): Promise<boolean> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  const { referenced } = await connection.one<{ referenced: boolean }>(sql`
    WITH these AS MATERIALIZED (
      SELECT c.oid FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
      JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name)
    SELECT EXISTS (
      SELECT FROM pg_constraint k
      WHERE k.contype = 'f' AND ${rootOf(sql`k.confrelid`)} IN (SELECT oid FROM these)
        AND ${rootOf(sql`k.conrelid`)} NOT IN (SELECT oid FROM these)) AS referenced`);
  return referenced;
}
