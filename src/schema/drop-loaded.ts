/** Takes a loaded schema away again, for `abort`. */

import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql, trusted } from '../postgres/sql.ts';

/** For each object that somebody reads just now. */
const GIVE_UP_MS = 10_000;

/**
 * Drops everything that was created in this database since our own schema was: extensions, schemas, and what stands in
 * schemas that were there before. `check` has seen that the target was empty and the fence has kept others out, so it
 * is ours; whatever is older than our schema stays.
 *
 * @returns what could not be dropped, with the server's reason
 */
export async function dropLoadedSchema(target: Connection): Promise<string[]> {
  const kept: string[] = [];
  for (const { statement, what } of await dropStatements(target)) {
    // The statements were quoted by the server, from its own catalog.
    await withBriefLock(target, trusted(statement), { timeoutMs: GIVE_UP_MS }).catch((error: Error) => {
      kept.push(`target: ${what}: ${error.message}`);
    });
  }
  return kept;
}

/** OIDs grow, so an object with a larger one than our schema's is younger than it. Dropped in this order, CASCADE takes the rest. */
function dropStatements(target: Connection): Promise<{ statement: string; what: string }[]> {
  return target.query(sql`
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'pgglide'),
    young_schema AS (
      SELECT n.oid, n.nspname FROM pg_namespace n, ours
      WHERE n.oid > ours.oid AND n.nspname !~ '^pg_'
    ),
    found AS (
      SELECT 1 AS place, e.oid, format('EXTENSION IF EXISTS %I', e.extname) AS what
      FROM pg_extension e, ours WHERE e.oid > ours.oid
      UNION ALL
      SELECT 2, oid, format('SCHEMA IF EXISTS %I', nspname) FROM young_schema
      UNION ALL
      -- Tables take the sequences that they own with them; what is left of those comes after.
      SELECT CASE c.relkind WHEN 'S' THEN 4 ELSE 3 END, c.oid, format('%s IF EXISTS %I.%I',
        CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
          WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname)
      FROM ours, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid > ours.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT c.relispartition
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgglide')
      UNION ALL
      SELECT 5, p.oid, format('ROUTINE IF EXISTS %s', p.oid::regprocedure)
      FROM ours, pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.oid > ours.oid AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgglide')
      UNION ALL
      SELECT 6, t.oid, format('%s IF EXISTS %I.%I', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname, t.typname)
      FROM ours, pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE t.oid > ours.oid AND t.typtype IN ('e', 'd', 'r') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgglide')
    )
    SELECT format('DROP %s CASCADE', what) AS statement, what
    FROM found f
    WHERE f.place <= 2 OR NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.objid = f.oid AND d.deptype = 'e')
    ORDER BY place, oid DESC`);
}
