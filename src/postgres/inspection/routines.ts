/**
 * Functions that run inside the apply worker or an index build, where search_path is empty: in generated columns,
 * index expressions, CHECK constraints, and triggers that fire for replicated rows.
 */

import type { KnownName, RoutineFact, Scope } from '../../domain/preflight/facts.ts';
import { wordsOf } from '../../domain/preflight/unqualified.ts';
import type { Connection } from '../connection.ts';
import { type Sql, sql } from '../sql.ts';
import { relationInScope } from './scope.ts';

interface Routines {
  readonly routines: readonly RoutineFact[];
  readonly knownNames: readonly KnownName[];
}

export async function readRoutines(connection: Connection, scope: Scope): Promise<Routines> {
  const routines = await connection.query<RoutineFact>(routinesSql(scope));
  if (routines.length === 0) return { routines, knownNames: [] };
  const words = [...new Set(routines.flatMap((routine) => wordsOf(routine.body)))];
  return { routines, knownNames: await connection.query<KnownName>(knownNamesSql(words)) };
}

/** A body of `BEGIN ATOMIC` (prosqlbody) was resolved when it was created; one with its own search_path is safe too. */
const routinesSql = (scope: Scope): Sql => sql`
  WITH tables AS MATERIALIZED (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND ${relationInScope(scope)}),
  used(function, by) AS (
    SELECT d.refobjid, format('generated column %s.%I', t.name, a.attname)
    FROM tables t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attgenerated <> ''
    JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND (
      (d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid)
      OR (d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.objsubid = a.attnum))
    UNION
    SELECT d.refobjid, format('index %I on %s', x.relname, t.name)
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass
      AND d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    UNION
    SELECT d.refobjid, format('check constraint %I on %s', k.conname, t.name)
    FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass
      AND d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
    UNION
    SELECT g.tgfoid, format('trigger %I on %s', g.tgname, t.name)
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND g.tgenabled IN ('A', 'R') AND NOT g.tgisinternal)
  SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS signature,
    n.nspname AS schema, p.proname AS name, p.prosrc AS body,
    array_agg(DISTINCT used.by ORDER BY used.by) AS "usedBy"
  FROM used JOIN pg_proc p ON p.oid = used.function JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
  WHERE l.lanname NOT IN ('c', 'internal') AND to_jsonb(p) ->> 'prosqlbody' IS NULL
    AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS entry WHERE entry LIKE 'search_path=%')
  GROUP BY p.oid, n.nspname, p.proname, p.prosrc
  ORDER BY 1`;

const knownNamesSql = (words: readonly string[]): Sql => sql`
  SELECT found.kind, n.nspname AS schema, found.name
  FROM (
    SELECT 'function' AS kind, pronamespace AS namespace, proname AS name FROM pg_proc
    UNION SELECT 'relation', relnamespace, relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION SELECT 'type', typnamespace, typname FROM pg_type WHERE typtype IN ('e', 'd', 'b', 'r')) AS found
  JOIN pg_namespace n ON n.oid = found.namespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND found.name = ANY (${words}::text[])
  ORDER BY 1, 2`;
