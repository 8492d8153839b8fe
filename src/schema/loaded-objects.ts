/** What the restore has created in this database, found in its catalog by the names of the statements that were executed. */

import type { Connection } from '../postgres/connection.ts';
import { ident, list, type Sql, sql } from '../postgres/sql.ts';
import type { Tie } from './held-back.ts';
import type { SchemaStatement } from './statement.ts';

/** An object as a dump names it. */
export type DumpedObject = Pick<SchemaStatement, 'kind' | 'schema' | 'name'>;

/** One that was found before, under the name that it had then. */
export interface NotedObject {
  /** The key of its ties: "class's oid/object's oid". */
  readonly id: string;
  readonly kind: string;
  readonly schema: string | null;
  /** Without quotes. */
  readonly name: string;
}

export interface LoadedObject extends NotedObject {
  /** "TABLE IF EXISTS public.orders", quoted by the server from its own catalog. */
  readonly what: string;
  /** May go together with others of its kind: it holds few locks. */
  readonly isSmall: boolean;
  /** False: younger than our schema, but made by somebody else. */
  readonly isOurs: boolean;
}

interface Catalog {
  readonly name: string;
  /** The beginning of its columns' names. */
  readonly prefix: string;
  /** In no schema, but in the database. */
  readonly isGlobal?: true;
}

/** What is neither relation nor routine nor type. Families take their classes along, servers their mappings. */
const OTHER_CATALOGS: readonly Catalog[] = [
  { name: 'pg_collation', prefix: 'coll' },
  { name: 'pg_conversion', prefix: 'con' },
  { name: 'pg_operator', prefix: 'opr' },
  { name: 'pg_opfamily', prefix: 'opf' },
  { name: 'pg_ts_config', prefix: 'cfg' },
  { name: 'pg_ts_dict', prefix: 'dict' },
  { name: 'pg_ts_template', prefix: 'tmpl' },
  { name: 'pg_ts_parser', prefix: 'prs' },
  { name: 'pg_foreign_server', prefix: 'srv', isGlobal: true },
  { name: 'pg_foreign_data_wrapper', prefix: 'fdw', isGlobal: true },
  { name: 'pg_language', prefix: 'lan', isGlobal: true },
  { name: 'pg_am', prefix: 'am', isGlobal: true },
];

const otherObjects: Sql = list(
  [
    ...OTHER_CATALOGS.map(
      ({ name, prefix, isGlobal }) => sql`
        SELECT o.tableoid AS class, o.oid, ${isGlobal ? sql`NULL` : sql`home.nspname`} AS schema, o.${ident(`${prefix}name`)} AS name
        FROM pg_catalog.${ident(name)} o
        ${isGlobal ? sql`` : sql`JOIN home ON home.oid = o.${ident(`${prefix}namespace`)}`}`,
    ),
    sql`SELECT tableoid, oid, NULL, format('CAST (%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL))
      FROM pg_cast`,
    sql`SELECT t.tableoid, t.oid, NULL, format('TRANSFORM FOR %s LANGUAGE %s', format_type(t.trftype, NULL), l.lanname)
      FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang`,
  ],
  ' UNION ALL ',
);

export interface Brought {
  /** The statements that the migration has executed on this target, and no other's. */
  readonly dumped: readonly DumpedObject[];
  /** What they made, as far as it was noted: still ours when it was renamed, and what has its name now is not. */
  readonly noted: readonly NotedObject[];
}

/**
 * And, marked as not ours, what else is younger than our schema. In an order in which CASCADE takes the rest. Schemas come
 * after the tables in them: all at once they would need more locks than a server has. What a dump creates only where it is missing (schemas, extensions, languages) counts only if it
 * is younger than our own schema.
 */
export async function loadedObjects(target: Connection, { dumped, noted }: Brought): Promise<LoadedObject[]> {
  const names = dumped.map(({ kind, schema, name }) => ({ kind, schema, name }));
  const found = await target.query<FoundObject>(sql`
    WITH dumped AS (
      -- Without quotes: inside some names (of functions, casts) a dump quotes more than the catalog's functions do.
      SELECT DISTINCT kind, coalesce(schema, '') AS schema, replace(name, '"', '') AS name
      FROM json_to_recordset(${JSON.stringify(names)}::json) AS d(kind text, schema text, name text)
    ),
    noted AS (SELECT unnest(${noted.map(({ id }) => id)}::text[]) AS id),
    ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'pgglide'),
    home AS (
      SELECT oid, nspname FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pgglide')
    ),
    found AS (
      -- First, or they would fire on what follows.
      SELECT 0 AS place, 'pg_event_trigger'::regclass AS class, oid, 'EVENT TRIGGER' AS kind, NULL AS schema, evtname AS name,
        format('EVENT TRIGGER IF EXISTS %I', evtname) AS what
      FROM pg_event_trigger WHERE NOT starts_with(evtname, 'pgglide_')
      UNION ALL
      -- Tables take the sequences that they own with them.
      SELECT CASE c.relkind WHEN 'S' THEN 2 ELSE 1 END, 'pg_class'::regclass, c.oid, k.kind, home.nspname, c.relname,
        format('%s IF EXISTS %I.%I', k.kind, home.nspname, c.relname)
      FROM pg_class c JOIN home ON home.oid = c.relnamespace
      CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind) AS k
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition
      UNION ALL
      -- After the tables: an index with options of an extension's operator class could not be dropped any more.
      SELECT 3, 'pg_extension'::regclass, e.oid, 'EXTENSION', NULL, e.extname, format('EXTENSION IF EXISTS %I', e.extname)
      FROM pg_extension e, ours WHERE e.oid > ours.oid
      UNION ALL
      SELECT 4, 'pg_namespace'::regclass, home.oid, 'SCHEMA', NULL, home.nspname, format('SCHEMA IF EXISTS %I', home.nspname)
      FROM home, ours WHERE home.oid > ours.oid
      UNION ALL
      SELECT 5, 'pg_proc'::regclass, p.oid,
        CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, home.nspname,
        format('%s(%s)', p.proname, coalesce(
          (SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, n)),
          CASE p.prokind WHEN 'a' THEN '*' ELSE '' END)),
        -- With IN and OUT: the types alone may fit several procedures.
        CASE p.prokind WHEN 'p' THEN format('PROCEDURE IF EXISTS %I.%I(%s)', home.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
          ELSE format('ROUTINE IF EXISTS %s', p.oid::regprocedure) END
      FROM pg_proc p JOIN home ON home.oid = p.pronamespace
      UNION ALL
      SELECT 6, 'pg_type'::regclass, t.oid, k.kind, home.nspname, t.typname,
        format('%s IF EXISTS %I.%I', k.kind, home.nspname, t.typname)
      FROM pg_type t JOIN home ON home.oid = t.typnamespace
      CROSS JOIN LATERAL (SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind) AS k
      WHERE t.typtype <> 'c' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
      UNION ALL
      SELECT 7, o.class, o.oid,
        CASE i.type WHEN 'language' THEN 'PROCEDURAL LANGUAGE' ELSE replace(upper(i.type), '-', ' ') END, o.schema, o.name,
        -- Before 16 a transform is named with an ON that DROP TRANSFORM does not take.
        format('%s IF EXISTS %s', replace(upper(i.type), '-', ' '),
          CASE i.type WHEN 'transform' THEN replace(i.identity, ' on language ', ' language ') ELSE i.identity END)
      FROM ours, (${otherObjects}) AS o CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) AS i
      WHERE o.oid >= 16384 AND (o.class <> 'pg_language'::regclass OR o.oid > ours.oid)
    ),
    -- CREATE OPERATOR makes the commutator and the negator that it names and that are missing, without a function.
    implied AS (
      SELECT DISTINCT shell.oid
      FROM pg_operator o JOIN home ON home.oid = o.oprnamespace
      JOIN dumped d ON d.kind = 'OPERATOR' AND d.schema = home.nspname AND d.name = o.oprname
      JOIN pg_operator shell ON shell.oid IN (o.oprcom, o.oprnegate) AND shell.oprcode = 0
    )
    SELECT i.id, f.kind, f.schema, replace(f.name, '"', '') AS name, f.what, f.place NOT IN (3, 4) AS "isSmall",
      d.kind IS NOT NULL OR implied.oid IS NOT NULL AS "hasDumpedName"
    FROM ours, found f CROSS JOIN LATERAL (SELECT f.class::oid || '/' || f.oid AS id) AS i
    LEFT JOIN implied ON f.class = 'pg_operator'::regclass AND implied.oid = f.oid
    LEFT JOIN noted USING (id)
    LEFT JOIN dumped d ON d.kind = f.kind AND d.schema = coalesce(f.schema, '') AND d.name = replace(f.name, '"', '')
    WHERE (d.kind IS NOT NULL OR noted.id IS NOT NULL OR f.oid > ours.oid) AND NOT EXISTS (
      SELECT FROM pg_depend p WHERE p.classid = f.class AND p.objid = f.oid AND p.objsubid = 0
        AND (p.deptype IN ('e', 'i') OR (p.deptype = 'a' AND f.kind = 'SEQUENCE')))
    ORDER BY f.place, f.oid DESC`);
  return markOurs(found, noted);
}

type FoundObject = Omit<LoadedObject, 'isOurs'> & { readonly hasDumpedName: boolean };

const nameKey = ({ kind, schema, name }: NotedObject): string => JSON.stringify([kind, schema, name]);

/** Who renamed one of ours may have made another under its old name. */
function markOurs(found: readonly FoundObject[], noted: readonly NotedObject[]): LoadedObject[] {
  const before = new Map(noted.map((object) => [object.id, nameKey(object)]));
  const left = new Set(
    found.flatMap((object) => {
      const name = before.get(object.id);
      return name === undefined || name === nameKey(object) ? [] : [name];
    }),
  );
  return found.map(({ hasDumpedName, ...object }) => ({
    ...object,
    isOurs: before.has(object.id) || (hasDumpedName && !left.has(nameKey(object))),
  }));
}

/** Of the server's own objects and of schemas: what a dump calls d.name. */
const heldBefore = sql`
  SELECT 'pg_namespace'::regclass AS class, oid, nspacl AS acl, nspowner AS owner, 'n'::"char" AS kind FROM pg_namespace
    WHERE d.name = 'SCHEMA ' || replace(nspname, '"', '')
  UNION ALL SELECT 'pg_proc'::regclass, oid, proacl, proowner, 'f' FROM pg_proc
    WHERE d.schema = 'pg_catalog' AND d.name LIKE 'FUNCTION %' AND oid = to_regprocedure('pg_catalog.' || substr(d.name, 10))
  UNION ALL SELECT 'pg_class'::regclass, oid, relacl, relowner, 'r' FROM pg_class
    WHERE d.schema = 'pg_catalog' AND relnamespace = 'pg_catalog'::regnamespace AND d.name = 'TABLE ' || relname`;

/** Our own role had what it needs before the first sync, or could not have begun. */
const grantsOf = (acl: Sql): Sql => sql`
  SELECT grantee, privilege_type, is_grantable FROM aclexplode(coalesce(${acl}, acldefault(o.kind, o.owner)))
  WHERE grantee <> (SELECT oid FROM pg_roles WHERE rolname = current_user)`;

/**
 * What was changed of objects that had been there before (schema public, the server's own) and of the default privileges, and
 * is still so; asked when all else is gone. In words.
 */
export async function lastingChanges(target: Connection, dumped: readonly DumpedObject[]): Promise<string[]> {
  const rows = await target.query<{ change: string }>(sql`
    WITH dumped AS (
      SELECT kind, schema, replace(name, '"', '') AS name
      FROM json_to_recordset(${JSON.stringify(dumped)}::json) AS d(kind text, schema text, name text)
      WHERE kind IN ('ACL', 'COMMENT', 'DEFAULT ACL')
    ),
    defaults AS (
      SELECT n.nspname AS schema, 'DEFAULT PRIVILEGES FOR ' || CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
        WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS name
      FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace
    )
    SELECT 'COMMENT ON ' || d.name AS change
    FROM dumped d
    WHERE d.kind = 'COMMENT' AND (d.schema = 'pg_catalog'
      OR d.name IN (SELECT 'SCHEMA ' || replace(nspname, '"', '') FROM pg_namespace))
    UNION
    SELECT 'GRANT ON ' || d.name
    FROM dumped d CROSS JOIN LATERAL (${heldBefore}) AS o
    LEFT JOIN pg_init_privs i ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = 0
    WHERE d.kind = 'ACL' AND EXISTS (
      (${grantsOf(sql`o.acl`)} EXCEPT ${grantsOf(sql`i.initprivs`)})
      UNION ALL (${grantsOf(sql`i.initprivs`)} EXCEPT ${grantsOf(sql`o.acl`)}))
    UNION
    SELECT 'ALTER ' || d.name || coalesce(' IN SCHEMA ' || quote_ident(d.schema), '')
    FROM dumped d JOIN defaults ON defaults.name = d.name AND defaults.schema IS NOT DISTINCT FROM d.schema
    WHERE d.kind = 'DEFAULT ACL'
    ORDER BY 1`);
  return rows.map(({ change }) => change);
}

/** Among all objects of this database. What is part of itself (a column of its table) is no tie. */
export function objectTies(target: Connection): Promise<Tie[]> {
  return target.query(sql`
    SELECT DISTINCT classid || '/' || objid AS object, refclassid || '/' || refobjid AS on, deptype <> 'n' AS "isPart"
    FROM pg_depend WHERE deptype <> 'p' AND classid <> 0 AND (classid, objid) <> (refclassid, refobjid)`);
}

/** "view mon.totals" and the like, for people. */
export async function describeObjects(
  target: Connection,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const rows = await target.query<{ id: string; name: string }>(sql`
    SELECT id, pg_describe_object(split_part(id, '/', 1)::oid, split_part(id, '/', 2)::oid, 0) AS name
    FROM unnest(${ids}::text[]) AS id`);
  return new Map(rows.map(({ id, name }) => [id, name]));
}
