import { qualified } from '../domain/names.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { createHelperIndexSql, dropHelperIndexSql, missingHelperIndexes } from '../postgres/helper-index.ts';

/**
 * The same for the way back, whose subscriber is the old side: it is in use, so CONCURRENTLY, outside the pause. The
 * indexes stay for the next attempt when this one is given up; `complete` and `abort` take them away.
 *
 * @see https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
export const prepareHelperIndexes: SwitchoverStep = {
  id: 'prepare-helper-indexes',
  title: 'Helper indexes for the way back',
  describe: ({ from, plan }) =>
    plan.tables
      .filter((table) => table.replicaIdentity === 'full')
      .map(
        (table) =>
          `on the ${from}: CREATE INDEX CONCURRENTLY pgglide_helper_... ON ${qualified(table)}, if it has no btree index; before PostgreSQL 16 only a primary key helps, and without one each UPDATE that comes back reads the whole table`,
      ),

  async run({ oldSide, plan, signal }) {
    const missing = await missingHelperIndexes(oldSide, plan.tables);
    const possible = missing.filter((index) => index.columns.length > 0);
    for (const index of possible) {
      signal.throwIfAborted();
      await oldSide.script(dropHelperIndexSql({ schema: index.table.schema, name: index.name }));
      await oldSide.script(createHelperIndexSql(index, 'concurrently'));
    }
    return `${possible.length} built`;
  },
};
