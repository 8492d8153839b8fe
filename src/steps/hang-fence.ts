import { PgglideError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import {
  type FencedRelation,
  hangFence,
  isFenceRaised,
  liftFenceSql,
  unfencedRelations,
} from '../postgres/fence.ts';

/** Writers of a table queue behind us for as long as this, and once a table. */
const LOCK_TIMEOUT_MS = 20;

/**
 * Hangs the fence's triggers on the old side, lifted: until the fence is raised in the pause they let every write pass. Done
 * long before the pause and once a migration, because DDL makes every session plan its next statement on that table anew.
 * A table that somebody holds gets its trigger in the pause, under the barrier's lock.
 *
 * SHARE ROW EXCLUSIVE on one table after the other, for an instant.
 */
export const hangFenceStep: SwitchoverStep = {
  id: 'hang-fence',
  title: 'Fence prepared on the old side',
  describe: ({ from, tables }) => [
    `on the ${from}: fence triggers, lifted, on those of ${tables.length} tables that have none`,
  ],

  async run({ oldSide, tables, facts }) {
    // It is the active side: whatever an interrupted run left, its writes must pass.
    if (await isFenceRaised(oldSide)) await oldSide.script(liftFenceSql());
    const unfenced = await unfencedRelations(oldSide, tables);
    facts.unfenced = [];
    for (const relation of unfenced) {
      if (!(await hangsNow(oldSide, relation))) facts.unfenced.push(relation);
    }
    return `${unfenced.length - facts.unfenced.length} tables`;
  },
};

async function hangsNow(connection: Connection, relation: FencedRelation): Promise<boolean> {
  try {
    await hangFence(connection, [relation], { lockTimeoutMs: LOCK_TIMEOUT_MS, timeoutMs: 0 });
    return true;
  } catch (error) {
    if (error instanceof PgglideError && error.code === 'lock_not_available') return false;
    throw error;
  }
}
