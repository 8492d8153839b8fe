import { PgglideError } from '../domain/errors.ts';
import { qualified } from '../domain/names.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import {
  dropFence,
  type FencedRelation,
  fencedOutside,
  hangFence,
  isFenceRaised,
  liftFenceSql,
  unfencedRelations,
} from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { unpublishTables } from '../postgres/unpublish-tables.ts';
import { letVacuumsYield } from '../postgres/yielding-vacuum.ts';
import { readAsideTables } from '../schema/aside-tables.ts';
import { forgetCopiedAside } from '../state/aside-table.ts';

/** Writers of a table queue behind us for as long as this, and once a table. */
const LOCK_TIMEOUT_MS = 20;

/**
 * Hangs the fence's triggers on the old side, lifted: until the fence is raised in the pause they let every write pass. Done
 * long before the pause and once a migration, because DDL makes every session plan its next statement on that table anew.
 * A table that somebody holds gets its trigger in the pause, under the barrier's lock.
 *
 * What the scope leaves out since is let go, on both sides: its rows are no copies of ours any more, and the fence, a publication
 * or a note that they were copied would say so.
 *
 * SHARE ROW EXCLUSIVE on one table after the other, for an instant; ACCESS EXCLUSIVE on what is let go.
 */
export const hangFenceStep: SwitchoverStep = {
  id: 'hang-fence',
  title: 'Fence prepared on the old side',
  describe: ({ from, tables }) => [
    `on the ${from}: fence triggers, lifted, on those of ${tables.length} tables that have none`,
  ],

  async run(context) {
    const { oldSide, tables, facts } = context;
    await letGo(context);
    // It is the active side: whatever an interrupted run left, its writes must pass.
    if (await isFenceRaised(oldSide)) await oldSide.script(liftFenceSql());
    const unfenced = await unfencedRelations(oldSide, tables);
    await letVacuumsYield(oldSide, unfenced);
    facts.unfenced = [];
    for (const relation of unfenced) {
      if (!(await hangsNow(oldSide, relation))) facts.unfenced.push(relation);
    }
    return `${unfenced.length - facts.unfenced.length} tables`;
  },
};

async function letGo(context: SwitchoverContext): Promise<void> {
  const { source, target, migration, settings, tables } = context;
  for (const side of [source, target]) await dropFence(side, await fencedOutside(side, tables));
  const planned = new Set(tables.map(qualified));
  for (const [publisher, link] of [
    [source, 'forward'],
    [target, 'reverse'],
  ] as const) {
    const lanes = await existingLanes(publisher, migration, link);
    const staying = new Set([...planned, ...lanes.map(({ marker }) => qualified(marker))]);
    await unpublishTables(publisher, lanes, (table) => !staying.has(qualified(table)));
  }
  const stillAside = await readAsideTables(target, settings.scope);
  await forgetCopiedAside(target, migration, new Set(stillAside.map(qualified)));
}

async function hangsNow(connection: Connection, relation: FencedRelation): Promise<boolean> {
  try {
    await hangFence(connection, [relation], { lockTimeoutMs: LOCK_TIMEOUT_MS, timeoutMs: 0 });
    return true;
  } catch (error) {
    if (error instanceof PgglideError && error.code === 'lock_not_available') return false;
    throw error;
  }
}
