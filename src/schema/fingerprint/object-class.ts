/** What a class of catalog objects is to the schema's fingerprint. */

import { OWN_SCHEMA } from '../../domain/names.ts';
import type { Scope } from '../../domain/scope.ts';
import { belongsToExtension, excludedRelations, schemaInScope } from '../../postgres/scope.ts';
import { type Sql, sql } from '../../postgres/sql.ts';

export interface ObjectClass {
  /** Plural, as people say it: "foreign keys". */
  readonly name: string;
  /**
   * Rows of (key text, definition text), both the same on every version for the same object. Runs with
   * quote_all_identifiers on, so that a new version's new keywords change nothing, and with an empty search_path.
   */
  readonly objects: (scope: Scope) => Sql;
  /** True for what belongs to the whole database; left out when the scope names schemas. */
  readonly isGlobal?: true;
}

/** Relations in scope as a CTE body with oid, key and pg_class's columns. */
export const relations = (scope: Scope): Sql => sql`
  SELECT c.*, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence <> 't' AND ${schemaInScope(scope)}
    AND c.oid NOT IN (${excludedRelations(scope)})
    AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)}`;

/** FROM and WHERE for objects of `catalog` (alias o) in the schemas of the scope, that no extension brought. */
export const inScope = (catalog: Sql, namespaceColumn: Sql, scope: Scope): Sql => sql`
  FROM ${catalog} o JOIN pg_namespace n ON n.oid = o.${namespaceColumn}
  WHERE ${schemaInScope(scope)} AND ${notOfExtension}`;

/** Of an object o in a schema n. */
export const qualified = (name: Sql): Sql => sql`quote_ident(n.nspname) || '.' || quote_ident(${name})`;

/** Made by the server for another object, as a range type's constructors and casts are; versions differ in them. */
export const notInternal = sql`NOT EXISTS (
  SELECT FROM pg_depend i WHERE i.classid = o.tableoid AND i.objid = o.oid AND i.deptype = 'i')`;

export const notOfExtension = sql`NOT ${belongsToExtension(sql`o.tableoid`, sql`o.oid`)}`;

/** Of what has no type like regclass; null for no object. */
export const identity = (catalog: Sql, oid: Sql): Sql =>
  sql`(SELECT i.identity FROM pg_identify_object(${catalog}, nullif(${oid}, 0), 0) AS i)`;

/** The names of what we add to a server: replica identity helper indexes and the like. */
export const isOurs = (name: Sql): Sql => sql`starts_with(${name}, ${`${OWN_SCHEMA}_`})`;

/** Null values left out, keys in one order: the same text on every version. */
export const definition = (pairs: Sql): Sql => sql`jsonb_strip_nulls(jsonb_build_object(${pairs}))::text`;

/** Options of any order: pg_dump writes those of foreign objects in the order of their names. */
export const sortedOptions = (options: Sql): Sql =>
  sql`(SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(${options}) AS o)`;

/**
 * Grants as a sorted text; what an owner may do by default is the same as nothing said. MAINTAIN came with 17 and is
 * in every owner's default from then on.
 */
export const grants = (acl: Sql, kind: Sql, owner: Sql): Sql => sql`(
  SELECT string_agg(
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END || '=' || a.privilege_type
      || CASE WHEN a.is_grantable THEN '*' ELSE '' END || '/' || pg_get_userbyid(a.grantor)::text,
    ', ' ORDER BY
      CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END COLLATE "C",
      a.privilege_type COLLATE "C", pg_get_userbyid(a.grantor)::text COLLATE "C")
  FROM aclexplode(coalesce(${acl}, acldefault(${kind}, ${owner}))) AS a
  WHERE a.privilege_type <> 'MAINTAIN')`;
