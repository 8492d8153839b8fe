/** Takes a loaded schema away again, for `abort`. */

import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { ident, list, type Sql, sql, trusted } from '../postgres/sql.ts';

/** For each object that somebody reads just now. */
const GIVE_UP_MS = 10_000;

interface Loaded {
  /** "TABLE IF EXISTS public.orders", quoted by the server from its own catalog. */
  readonly what: string;
  /** May go together with others of its kind: it holds few locks. */
  readonly isSmall: boolean;
}

/**
 * Drops everything that was created in this database since our own schema was: extensions, schemas, what stands in
 * schemas that were there before, and what stands in none. `check` has seen that the target was empty and the fence has kept others out, so it
 * is ours; whatever is older than our schema stays.
 *
 * @returns what could not be dropped, with the server's reason
 */
export async function dropLoadedSchema(target: Connection): Promise<string[]> {
  const kept: string[] = [];
  for (const batch of batches(await loadedObjects(target))) {
    if (batch.length > 1 && (await dropTogether(target, batch))) continue;
    for (const object of batch) {
      await withBriefLock(target, dropSql(object), { timeoutMs: GIVE_UP_MS }).catch((error: Error) => {
        kept.push(`target: ${object.what}: ${error.message}`);
      });
    }
  }
  return kept;
}

/** A transaction for each would cost more than the objects do: each scans the server's whole buffer cache. */
const BATCH = 50;

function batches(objects: readonly Loaded[]): Loaded[][] {
  const all: Loaded[][] = [];
  for (const object of objects) {
    const last = all.at(-1);
    const fits = last !== undefined && last.length < BATCH && object.isSmall && last[0]?.isSmall === true;
    if (fits) last.push(object);
    else all.push([object]);
  }
  return all;
}

/** False when the server refuses one of them, and none is dropped. */
async function dropTogether(target: Connection, batch: readonly Loaded[]): Promise<boolean> {
  try {
    await withBriefLock(target, list(batch.map(dropSql), '; '), { timeoutMs: 0 });
    return true;
  } catch (error) {
    if (target.lost !== undefined) throw error;
    return false;
  }
}

const dropSql = ({ what }: Loaded): Sql => sql`DROP ${trusted(what)} CASCADE`;

interface Catalog {
  readonly name: string;
  /** Its column; undefined for what belongs to the database. */
  readonly namespace?: string;
}

/** What is neither relation nor routine nor type. Families take their classes along, servers their mappings. */
const OTHER_CATALOGS: readonly Catalog[] = [
  { name: 'pg_collation', namespace: 'collnamespace' },
  { name: 'pg_conversion', namespace: 'connamespace' },
  { name: 'pg_operator', namespace: 'oprnamespace' },
  { name: 'pg_opfamily', namespace: 'opfnamespace' },
  { name: 'pg_ts_config', namespace: 'cfgnamespace' },
  { name: 'pg_ts_dict', namespace: 'dictnamespace' },
  { name: 'pg_ts_template', namespace: 'tmplnamespace' },
  { name: 'pg_ts_parser', namespace: 'prsnamespace' },
  { name: 'pg_cast' },
  { name: 'pg_transform' },
  { name: 'pg_foreign_server' },
  { name: 'pg_foreign_data_wrapper' },
  { name: 'pg_language' },
  { name: 'pg_am' },
];

const otherObjects: Sql = list(
  OTHER_CATALOGS.map(
    ({ name, namespace }) => sql`
      SELECT o.tableoid AS class, o.oid FROM ${ident('pg_catalog', name)} o
      ${namespace === undefined ? sql`` : sql`JOIN home ON home.oid = o.${ident(namespace)} AND NOT home.is_young`}`,
  ),
  ' UNION ALL ',
);

/**
 * OIDs grow, so an object with a larger one than our schema's is younger than it. Dropped in this order, CASCADE takes
 * the rest. Schemas come after the tables in them: all at once they would need more locks than a server has.
 */
function loadedObjects(target: Connection): Promise<Loaded[]> {
  return target.query(sql`
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'pgglide'),
    home AS (
      SELECT n.oid, n.nspname, n.oid > ours.oid AS is_young FROM pg_namespace n, ours
      WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgglide')
    ),
    found AS (
      -- First, or they would fire on what follows.
      SELECT 0 AS place, 'pg_event_trigger'::regclass AS class, e.oid, format('EVENT TRIGGER IF EXISTS %I', e.evtname) AS what
      FROM pg_event_trigger e, ours WHERE e.oid > ours.oid
      UNION ALL
      -- Tables take the sequences that they own with them; what is left of those comes after.
      SELECT CASE c.relkind WHEN 'S' THEN 2 ELSE 1 END, 'pg_class'::regclass, c.oid, format('%s IF EXISTS %I.%I',
        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, home.nspname, c.relname)
      FROM ours, pg_class c JOIN home ON home.oid = c.relnamespace
      WHERE c.oid > ours.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition
        AND NOT (c.relkind = 'S' AND EXISTS (
          SELECT FROM pg_depend d JOIN pg_class o ON o.oid = d.refobjid AND o.oid > ours.oid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i')))
      UNION ALL
      -- After the tables: an index with options of an extension's operator class could not be dropped any more.
      SELECT 3, 'pg_extension'::regclass, e.oid, format('EXTENSION IF EXISTS %I', e.extname)
      FROM pg_extension e, ours WHERE e.oid > ours.oid
      UNION ALL
      SELECT 4, 'pg_namespace'::regclass, oid, format('SCHEMA IF EXISTS %I', nspname) FROM home WHERE is_young
      UNION ALL
      SELECT 5, 'pg_proc'::regclass, p.oid, format('ROUTINE IF EXISTS %s', p.oid::regprocedure)
      FROM ours, pg_proc p JOIN home ON home.oid = p.pronamespace AND NOT home.is_young
      WHERE p.oid > ours.oid
      UNION ALL
      SELECT 6, 'pg_type'::regclass, t.oid,
        format('%s IF EXISTS %I.%I', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, home.nspname, t.typname)
      FROM ours, pg_type t JOIN home ON home.oid = t.typnamespace AND NOT home.is_young
      WHERE t.oid > ours.oid AND (t.typtype IN ('e', 'd', 'r')
        OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
      UNION ALL
      SELECT 7, o.class, o.oid, format('%s IF EXISTS %s', replace(upper(i.type), '-', ' '), i.identity)
      FROM ours, (${otherObjects}) AS o CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) AS i
      WHERE o.oid > ours.oid
    )
    SELECT what, place NOT IN (3, 4) AS "isSmall"
    FROM found f
    WHERE NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = f.class AND d.objid = f.oid AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))
    ORDER BY place, oid DESC`);
}
