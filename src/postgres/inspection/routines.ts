/**
 * Functions that run inside the apply worker, an index build or ANALYZE, where search_path is empty: in generated
 * columns, index expressions, extended statistics, partition keys, CHECK constraints, domains, ranges, operators of all of
 * these, and triggers that fire for replicated rows; and what those call.
 */

import type { KnownName, RoutineFact } from '../../domain/preflight/facts.ts';
import { wordsOf } from '../../domain/preflight/unqualified.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { firesInReplica } from '../replica-trigger.ts';
import { relationInScope, schemaInScope } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';

interface Routines {
  readonly routines: readonly RoutineFact[];
  readonly knownNames: readonly KnownName[];
}

/** Calls of calls, so deep. */
const MAX_DEPTH = 8;

export async function readRoutines(connection: Connection, scope: Scope): Promise<Routines> {
  const found = new Map<string, RoutineFact>();
  let latest = await connection.query<RoutineFact>(routinesSql(usedByTables(scope)));
  for (let depth = 0; depth < MAX_DEPTH && latest.length > 0; depth += 1) {
    for (const routine of latest) found.set(routine.signature, routine);
    const called = await connection.query<RoutineFact>(routinesSql(calledBy(latest)));
    latest = called.filter((routine) => !found.has(routine.signature));
  }
  const routines = [...found.values()];
  if (routines.length === 0) return { routines, knownNames: [] };
  const words = [...new Set(routines.flatMap((routine) => wordsOf(routine.body)))];
  return { routines, knownNames: await connection.query<KnownName>(knownNamesSql(words)) };
}

/**
 * Functions that can be misled: a body of `BEGIN ATOMIC` (prosqlbody) was resolved when it was created, one with its
 * own search_path is safe too. `used` names some of them, with who runs them.
 */
const routinesSql = (used: Sql): Sql => sql`
  WITH routine AS MATERIALIZED (
    SELECT p.oid, p.proname, p.prosrc, n.nspname
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND l.lanname NOT IN ('c', 'internal')
      AND to_jsonb(p) ->> 'prosqlbody' IS NULL
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS entry WHERE entry LIKE 'search_path=%')),
  ${used}
  SELECT format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(oid)) AS signature,
    nspname AS schema, proname AS name, prosrc AS body,
    (array_agg(DISTINCT used.by ORDER BY used.by))[1:20] AS "usedBy"
  FROM used JOIN routine ON routine.oid = used.function
  GROUP BY oid, nspname, proname, prosrc
  ORDER BY 1`;

/** What the server itself runs on behalf of a row. Whose dependency a generated column is differs between versions. */
const usedByTables = (scope: Scope): Sql => sql`
  tables AS MATERIALIZED (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND ${relationInScope(scope)}),
  dependency AS MATERIALIZED (
    SELECT d.classid, d.objid, d.objsubid, reached.function
    FROM (
      SELECT 'pg_proc'::regclass AS class, oid AS object, oid AS function FROM routine
      -- An expression that uses an operator depends on that, and not on its function.
      UNION ALL SELECT 'pg_operator'::regclass, o.oid, routine.oid
      FROM routine JOIN pg_operator o ON o.oprcode = routine.oid) AS reached
    JOIN pg_depend d ON d.refclassid = reached.class AND d.refobjid = reached.object
    WHERE d.classid IN ('pg_attrdef'::regclass, 'pg_class'::regclass, 'pg_constraint'::regclass, 'pg_statistic_ext'::regclass)),
  used(function, by) AS (
    SELECT d.function, format('generated column %s.%I', t.name, a.attname)
    FROM dependency d JOIN pg_attrdef ad ON ad.oid = d.objid JOIN tables t ON t.oid = ad.adrelid
    JOIN pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum AND a.attgenerated <> ''
    WHERE d.classid = 'pg_attrdef'::regclass
    UNION
    SELECT d.function, format('generated column %s.%I', t.name, a.attname)
    FROM dependency d JOIN tables t ON t.oid = d.objid
    JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND a.attgenerated <> ''
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    UNION
    SELECT d.function, format('index %I on %s', x.relname, t.name)
    FROM dependency d JOIN pg_index i ON i.indexrelid = d.objid
    JOIN pg_class x ON x.oid = i.indexrelid JOIN tables t ON t.oid = i.indrelid
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0
    UNION
    SELECT d.function, format('partition key of %s', t.name)
    FROM dependency d JOIN pg_partitioned_table p ON p.partrelid = d.objid JOIN tables t ON t.oid = p.partrelid
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0
    UNION
    SELECT d.function, format('statistics %I on %s', e.stxname, t.name)
    FROM dependency d JOIN pg_statistic_ext e ON e.oid = d.objid JOIN tables t ON t.oid = e.stxrelid
    WHERE d.classid = 'pg_statistic_ext'::regclass
    UNION
    SELECT m.amproc, format('operator family %I.%I', n.nspname, f.opfname)
    FROM routine JOIN pg_amproc m ON m.amproc = routine.oid
    JOIN pg_opfamily f ON f.oid = m.amprocfamily JOIN pg_namespace n ON n.oid = f.opfnamespace
    WHERE ${schemaInScope(scope)}
    UNION
    SELECT routine.oid, format('range type %I.%I', n.nspname, y.typname)
    FROM routine JOIN pg_range r ON routine.oid IN (r.rngsubdiff, r.rngcanonical)
    JOIN pg_type y ON y.oid = r.rngtypid JOIN pg_namespace n ON n.oid = y.typnamespace
    WHERE ${schemaInScope(scope)}
    UNION
    SELECT d.function, format('check constraint %I on %s', k.conname, t.name)
    FROM dependency d JOIN pg_constraint k ON k.oid = d.objid JOIN tables t ON t.oid = k.conrelid
    WHERE d.classid = 'pg_constraint'::regclass
    UNION
    SELECT d.function, format('domain %I.%I', n.nspname, y.typname)
    FROM dependency d JOIN pg_constraint k ON k.oid = d.objid
    JOIN pg_type y ON y.oid = k.contypid JOIN pg_namespace n ON n.oid = y.typnamespace
    WHERE d.classid = 'pg_constraint'::regclass AND ${schemaInScope(scope)}
    UNION
    SELECT g.tgfoid, format('trigger %I on %s', g.tgname, t.name)
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND ${firesInReplica(sql`g`)})`;

/** By name alone: which of several of one name is called, only the call itself knows. */
const calledBy = (callers: readonly RoutineFact[]): Sql => {
  const calls = callers.flatMap(({ signature, body }) =>
    wordsOf(body).map((word) => ({ word, by: `function ${signature}` })),
  );
  return sql`used(function, by) AS (
    SELECT routine.oid, call.by
    FROM json_to_recordset(${JSON.stringify(calls)}::json) AS call(word text, by text)
    JOIN routine ON routine.proname = call.word)`;
};

const knownNamesSql = (words: readonly string[]): Sql => sql`
  SELECT found.kind, n.nspname AS schema, found.name
  FROM (
    SELECT 'function' AS kind, pronamespace AS namespace, proname AS name FROM pg_proc
    UNION SELECT 'relation', relnamespace, relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION SELECT 'type', typnamespace, typname FROM pg_type WHERE typtype IN ('e', 'd', 'b', 'r')) AS found
  JOIN pg_namespace n ON n.oid = found.namespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND found.name = ANY (${words}::text[])
  ORDER BY 1, 2`;
