import { allOrAborted } from '../base/async.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { createHelperIndexSql, type HelperIndex, missingHelperIndexes } from '../postgres/helper-index.ts';
import { ident, sql } from '../postgres/sql.ts';

/**
 * Gives the target's apply worker an index where a REPLICA IDENTITY FULL table has none that it could use: without it
 * every UPDATE reads the whole table. Before the target follows, so that catch-up is quick too. SHARE on the target's
 * table, where nobody else is. `complete` and `abort` take the indexes away.
 */
export const buildHelperIndexes: Step<readonly HelperIndex[]> = {
  id: 'build-helper-indexes',
  title: 'Helper indexes for tables without a key',

  describe: ({ plan }) =>
    plan.tables
      .filter((table) => table.replicaIdentity === 'full')
      .map(
        (table) =>
          `target: CREATE INDEX pgglide_helper_... ON ${qualified(table)}, if it has no btree index (PostgreSQL 16 and later)`,
      ),

  async observe({ target, plan }) {
    const missing = await missingHelperIndexes(target, plan.tables);
    const facts = missing.filter((index) => index.columns.length > 0);
    return { satisfied: facts.length === 0, facts };
  },

  actions: (context, indexes) => [
    {
      on: 'target',
      does: indexes.map((index) => createHelperIndexSql(index, 'plain').text).join('; '),
      run: () => build(context, indexes),
    },
  ],
};

async function build(context: StepContext, indexes: readonly HelperIndex[]): Promise<void> {
  const { target, plan, settings, open, signal } = context;
  for (const { table } of indexes) await analyze(target, table);
  const chosen = await missingHelperIndexes(target, plan.tables);
  const wanted = chosen.filter((index) => index.columns.length > 0);
  const queue = wanted.values();
  // A session a worker: hundreds of small tables would pay more for logging in than for their indexes.
  const work = async (own: AbortSignal): Promise<void> => {
    await using session = await open('target', 'helper index');
    for (const index of queue) {
      own.throwIfAborted();
      await session.script(createHelperIndexSql(index, 'plain'));
    }
  };
  const width = Math.min(settings.copy.indexJobs, wanted.length);
  await allOrAborted(signal, (own) => Array.from({ length: width }, () => work(own)));
}

/**
 * Statistics tell which columns distinguish rows. Where they cannot be had, the first columns are taken; whether the table
 * can be analyzed at all is told by `analyze-target`.
 */
async function analyze(target: Connection, { schema, name }: TableName): Promise<void> {
  try {
    await target.script(sql`ANALYZE ${ident(schema, name)}`);
  } catch (error) {
    if (target.lost !== undefined || sqlState(error) === undefined) throw error;
  }
}
