/** The scope as conditions of queries. */

import { OWN_SCHEMA } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import { type Sql, sql } from './sql.ts';

/** True for a schema in scope; `n` must be the alias of pg_namespace. */
export const schemaInScope = (scope: Scope): Sql => sql`(
  n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', ${OWN_SCHEMA})
  AND (${scope.schemas ?? null}::text[] IS NULL OR n.nspname = ANY (${scope.schemas ?? null}::text[])))`;

/**
 * Oids of the relations left out by name, with their partitions and the sequences their columns own.
 * A subquery's body: `c.oid NOT IN (${excludedRelations(scope)})`.
 */
export const excludedRelations = (scope: Scope): Sql => sql`
  WITH RECURSIVE named AS (
    SELECT xc.oid
    FROM pg_class xc JOIN pg_namespace xn ON xn.oid = xc.relnamespace
    WHERE xn.nspname || '.' || xc.relname = ANY (${scope.exclude ?? []}::text[])
       OR format('%I.%I', xn.nspname, xc.relname) = ANY (${scope.exclude ?? []}::text[])
    UNION
    SELECT i.inhrelid
    FROM named JOIN pg_inherits i ON i.inhparent = named.oid
    JOIN pg_class leaf ON leaf.oid = i.inhrelid AND leaf.relispartition
  )
  SELECT oid FROM named
  UNION ALL
  SELECT d.objid
  FROM named JOIN pg_depend d ON d.refobjid = named.oid
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')`;

/** True for a relation in scope that no extension brought along; `c` is pg_class, `n` its pg_namespace. */
export const relationInScope = (scope: Scope): Sql => sql`(
  ${schemaInScope(scope)}
  AND c.oid NOT IN (${excludedRelations(scope)})
  AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)})`;

/** True for an object that an extension brought along and that therefore comes with CREATE EXTENSION. */
export const belongsToExtension = (catalog: Sql, oid: Sql): Sql => sql`EXISTS (
  SELECT FROM pg_depend e
  WHERE e.classid = ${catalog} AND e.objid = ${oid} AND e.objsubid = 0
    AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')`;
