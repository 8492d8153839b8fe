import { inParallel } from '../base/async.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import type { Connection } from '../postgres/connection.ts';
import { ident, sql } from '../postgres/sql.ts';

/**
 * Gives the target's planner its statistics before traffic comes: without them plans flip in the first minute. ANALYZE of
 * a partition root also collects the statistics of the tree, which autovacuum never does. SHARE UPDATE EXCLUSIVE.
 *
 * @see https://www.postgresql.org/docs/current/sql-analyze.html
 */
export const analyzeTarget: Step<readonly TableName[]> = {
  id: 'analyze-target',
  title: 'Statistics for the target’s planner',

  describe: ({ plan }) => plan.tables.map((table) => `target: ANALYZE ${qualified(table)}`),

  async observe({ target, plan }) {
    const facts = await withoutStatistics(target, plan.tables);
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

/** A session a worker, not a table: with thousands of tables that would take longer than ANALYZE itself. */
async function analyze({ open, settings, signal }: StepContext, tables: readonly TableName[]): Promise<void> {
  const sessions: Connection[] = [];
  try {
    await inParallel(tables, settings.copy.indexJobs, async (table, worker) => {
      signal.throwIfAborted();
      sessions[worker] ??= await open('target', 'analyze');
      await sessions[worker].script(sql`ANALYZE ${ident(table.schema, table.name)}`);
    });
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/** Planned tables never analyzed, empty ones left out (ANALYZE leaves no trace of them before 17). */
async function withoutStatistics(target: Connection, tables: readonly TableName[]): Promise<TableName[]> {
  return target.query<TableName>(sql`
    SELECT t.schema, t.name
    FROM json_to_recordset(${JSON.stringify(tables)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
    WHERE (c.relkind = 'r' AND c.relpages = 0 AND pg_relation_size(c.oid) > 0)
       OR (c.relkind = 'r' AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL AND pg_relation_size(c.oid) > 0)
       OR (c.relkind = 'p' AND c.reltuples < 0)`);
}
