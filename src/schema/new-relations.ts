/** Tables and partitions that were created on the source after the sync: DDL is not replicated. */

import { qualified, type TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { presentOn } from '../postgres/present.ts';
import { belongsToExtension, excludedRelations, schemaInScope } from '../postgres/scope.ts';
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
