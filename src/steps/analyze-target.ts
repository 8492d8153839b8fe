import { inParallel } from '../base/async.ts';
import { slices } from '../base/slices.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { ident, list, sql } from '../postgres/sql.ts';
import { DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, QUERY_CANCELED } from '../postgres/sqlstate.ts';
import { lastPostDataAt } from '../state/schema-progress.ts';

/**
 * Gives the target's planner its statistics before traffic comes: without them plans flip in the first minute. ANALYZE of
 * a partition root also collects the statistics of the tree, which autovacuum never does. SHARE UPDATE EXCLUSIVE. A table
 * that the server cannot analyze is told and left without: that is no reason to give up a copy.
 *
 * @see https://www.postgresql.org/docs/current/sql-analyze.html
 */
export const analyzeTarget: Step<readonly TableName[]> = {
  id: 'analyze-target',
  title: 'Statistics for the target’s planner',

  describe: ({ plan }) => plan.tables.map((table) => `target: ANALYZE ${qualified(table)}`),

  async observe(context) {
    const { target, migration, plan } = context;
    const failed = told.get(context);
    const missing = await withoutStatistics(target, migration, plan.tables);
    const facts = missing.filter((table) => !failed?.has(qualified(table)));
    return { satisfied: facts.length === 0, facts };
  },

  actions: (context, tables) => [
    {
      on: 'target',
      does: `ANALYZE ${tables.map(qualified).join(', ')}`,
      run: () => analyze(context, tables),
    },
  ],
};

/** So many in one statement, each in a transaction of its own: with thousands of tables the round trips would cost more than ANALYZE itself. */
const BATCH = 50;

/** Says nothing about the table. */
const TRY_AGAIN: ReadonlySet<string> = new Set([DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, QUERY_CANCELED]);

/** Tables that ANALYZE has failed on in this command: each is tried once, and by the next command again. */
const told = new WeakMap<StepContext, Set<string>>();

async function analyze(context: StepContext, tables: readonly TableName[]): Promise<void> {
  const { open, settings, signal } = context;
  const { indexJobs } = settings.copy;
  const sessions: Connection[] = [];
  try {
    await inParallel(batches(tables, indexJobs), indexJobs, async (batch, worker) => {
      signal.throwIfAborted();
      sessions[worker] ??= await openSession(open);
      await analyzeBatch(sessions[worker], batch, context);
    });
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/** The first that fails ends the statement, so then each by itself. */
async function analyzeBatch(
  session: Connection,
  tables: readonly TableName[],
  context: StepContext,
): Promise<void> {
  try {
    await session.script(sql`ANALYZE ${list(tables.map(({ schema, name }) => ident(schema, name)))}`);
  } catch (error) {
    if (sqlState(error) === undefined || TRY_AGAIN.has(sqlState(error) ?? '')) throw error;
    if (tables.length === 1) return tell(context, tables[0] as TableName, error as Error);
    for (const table of tables) await analyzeBatch(session, [table], context);
  }
}

async function tell(context: StepContext, table: TableName, { message }: Error): Promise<void> {
  const failed = told.get(context) ?? new Set();
  told.set(context, failed.add(qualified(table)));
  await context.events.emit('warning', {
    code: 'not_analyzed',
    message: `${qualified(table)} has no statistics on the target, ANALYZE fails there: ${message}`,
    hint: 'Often a function that needs a search_path: ALTER FUNCTION ... SET search_path = ... on both sides, then run pgglide sync again. Without statistics its queries may be slow after the cutover.',
  });
}

/** Its commits need not wait for the disk: the journal's next one does, and a crash before it leaves the step to be done. */
async function openSession(open: StepContext['open']): Promise<Connection> {
  const session = await open('target', 'analyze');
  await session.script(sql`SET synchronous_commit = off`);
  return session;
}

/** Few tables are shared out among the workers. */
const batches = (tables: readonly TableName[], workers: number): Generator<readonly TableName[]> =>
  slices(tables, Math.max(1, Math.min(BATCH, Math.ceil(tables.length / workers / 4))));

/**
 * Planned tables never analyzed, empty ones left out (ANALYZE leaves no trace of them before 17). Autovacuum may come to a
 * copied table before its extended statistics, expression indexes or children are there: it counts as never, then. A parent
 * is empty as a rule, and autovacuum leaves it out; one with foreign children is left to whoever can reach their server. Of a
 * partitioned table without partitions ANALYZE leaves no trace either.
 */
async function withoutStatistics(
  target: Connection,
  migration: string,
  tables: readonly TableName[],
): Promise<TableName[]> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  const completedAt = await lastPostDataAt(target, migration);
  return target.query<TableName>(sql`
    SELECT t.schema, t.name
    FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    CROSS JOIN LATERAL (SELECT
      greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) AS "analyzedAt",
      c.relkind = 'r' AND pg_relation_size(c.oid) > 0 AS "hasRows",
      c.relkind = 'r' AND c.relhassubclass AND NOT EXISTS (
        SELECT FROM pg_inherits i JOIN pg_class f ON f.oid = i.inhrelid AND f.relkind = 'f' WHERE i.inhparent = c.oid) AS "isParent",
      EXISTS (SELECT FROM pg_statistic_ext e WHERE e.stxrelid = c.oid)
        OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL) AS "isSpecial") AS found
    WHERE (c.relkind = 'p' AND c.relhassubclass AND c.reltuples < 0)
       OR ("hasRows" AND c.relpages = 0)
       OR (("hasRows" OR "isParent") AND "analyzedAt" IS NULL)
       OR ((("hasRows" AND "isSpecial") OR "isParent") AND "analyzedAt" < ${completedAt ?? null}::timestamptz)`);
}
