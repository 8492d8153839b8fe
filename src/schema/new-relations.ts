/** Tables and partitions that were created on the source after the sync: DDL is not replicated. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { belongsToExtension, excludedRelations, type Scope, schemaInScope } from '../postgres/scope.ts';
import { sql } from '../postgres/sql.ts';

export interface NewRelation extends TableName {
  /** A partition of a table that the target has. */
  readonly isLatePartition: boolean;
}

interface Relation extends TableName {
  /** The topmost table of its partition tree; itself where it is none. */
  readonly root: TableName;
}

/** On the source and not on the target. A renamed table is none: it is published already, under its new name. */
export async function newRelations(
  source: Connection,
  target: Connection,
  scope: Scope,
): Promise<NewRelation[]> {
  const relations = await source.query<Relation>(sql`
    SELECT n.nspname AS schema, c.relname AS name,
      json_build_object('schema', rn.nspname, 'name', r.relname) AS root
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class r ON r.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
    JOIN pg_namespace rn ON rn.oid = r.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${schemaInScope(scope)}
      AND c.oid NOT IN (${excludedRelations(scope)})
      AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)}
      AND NOT EXISTS (
        SELECT FROM pg_publication_rel p JOIN pg_publication o ON o.oid = p.prpubid
        WHERE p.prrelid = c.oid AND starts_with(o.pubname, 'pgglide_'))
    ORDER BY 1, 2`);
  const there = await presentOn(
    target,
    relations.flatMap((relation) => [relation, relation.root]),
  );
  return relations
    .filter((relation) => !there.has(qualified(relation)))
    .map(({ schema, name, root }) => ({
      schema,
      name,
      isLatePartition: qualified(root) !== qualified({ schema, name }) && there.has(qualified(root)),
    }));
}

/** qualified() names of what our publications hold on a server. */
export async function publishedByUs(connection: Connection): Promise<Set<string>> {
  const rows = await connection.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM pg_publication_rel p JOIN pg_publication o ON o.oid = p.prpubid
    JOIN pg_class c ON c.oid = p.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE starts_with(o.pubname, 'pgglide_')`);
  return new Set(rows.map(qualified));
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
