/** Which tables, objects and rows a server has, or publishes for us. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from './connection.ts';
import { excludedRelations } from './scope.ts';
import { type Sql, sql } from './sql.ts';

/** qualified() names of what our publications hold on a server. */
export async function publishedByUs(connection: Connection): Promise<Set<string>> {
  const rows = await connection.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM pg_publication_rel p JOIN pg_publication o ON o.oid = p.prpubid
    JOIN pg_class c ON c.oid = p.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE starts_with(o.pubname, 'pgglide_')`);
  return new Set(rows.map(qualified));
}

/** qualified() names of those tables that a server has. */
export async function presentOn(connection: Connection, tables: readonly TableName[]): Promise<Set<string>> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  const rows = await connection.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    WHERE c.relkind IN ('r', 'p')`);
  return new Set(rows.map(qualified));
}

interface NamedObject {
  readonly kind: string;
  readonly schema?: string | undefined;
  readonly name: string;
}

/** Of objects that new tables may need, those that a server has, by place in the list. */
export async function presentObjects(
  connection: Connection,
  objects: readonly NamedObject[],
): Promise<Set<number>> {
  const rows = await connection.query<{ place: number }>(sql`
    SELECT (o.place - 1)::int AS place
    FROM json_array_elements(${JSON.stringify(objects)}::json) WITH ORDINALITY AS o(item, place)
    CROSS JOIN LATERAL (SELECT o.item->>'kind' AS kind, o.item->>'schema' AS schema, o.item->>'name' AS name) AS i
    LEFT JOIN pg_namespace n ON n.nspname = i.schema
    WHERE (i.kind = 'SCHEMA' AND EXISTS (SELECT FROM pg_namespace s WHERE s.nspname = i.name))
      OR (i.kind IN ('TYPE', 'DOMAIN') AND EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND t.typname = i.name))
      OR (i.kind = 'SEQUENCE' AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = i.name))
      OR (i.kind IN ('FUNCTION', 'PROCEDURE') AND EXISTS (
        SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = split_part(i.name, '(', 1)))`);
  return new Set(rows.map(({ place }) => place));
}

/** qualified() names of what the scope leaves out by name. */
export const excludedTables = async (connection: Connection, scope: Scope): Promise<Set<string>> =>
  new Set((await excludedNames(connection, scope)).map(qualified));

/** With their partitions, and the sequences that their columns own. */
export async function excludedNames(connection: Connection, scope: Scope): Promise<TableName[]> {
  if ((scope.exclude ?? []).length === 0) return [];
  return connection.query<TableName>(sql`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (${excludedRelations(scope)})`);
}

/** Of relations, by their names as SQL quotes them, those that a server does not have. */
export async function absentFrom(connection: Connection, names: readonly string[]): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(sql`
    SELECT name FROM unnest(${names}::text[]) AS n(name) WHERE to_regclass(name) IS NULL`);
  return rows.map(({ name }) => name);
}

/** @param relation as it stands in FROM */
export async function hasRows(connection: Connection, relation: Sql): Promise<boolean> {
  const { filled } = await connection.one<{ filled: boolean }>(
    sql`SELECT EXISTS (SELECT FROM ${relation}) AS filled`,
  );
  return filled;
}
