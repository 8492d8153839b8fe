import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { endBackend } from '../postgres/activity.ts';
import { fenceState, liftFenceSql } from '../postgres/fence.ts';
import { list, sql } from '../postgres/sql.ts';

/**
 * Raises the fence on the old side inside the barrier's own transaction and commits it, before the commit point: a
 * writer that waited on the lock gets the fence's clear error, never a lost write, and should this tool stop or lose its
 * session at any later moment, the old side stays shut, so that never both sides take writes. That the COMMIT succeeds
 * proves that the barrier stood until now. Undo lifts the fence.
 *
 * SHARE ROW EXCLUSIVE on tables that the barrier holds already: nobody waits longer for it.
 */
export const fenceOldSide: SwitchoverStep = {
  id: 'fence-old-side',
  title: 'Old side fenced',
  describe: ({ from, tables }) => [
    `create or enable the fence's triggers on ${tables.length} tables of the ${from}, COMMIT`,
  ],

  async run({ facts }) {
    const { barrier, fences } = facts;
    if (barrier === undefined || fences === undefined) throw new Error('rehearse-queries has not run');
    facts.fenceBegun = true;
    await barrier.script(fences.raise === undefined ? sql`COMMIT` : list([fences.raise, sql`COMMIT`], '; '));
    facts.barrierHeld = false;
  },

  async undo(context) {
    if (!context.facts.fenceBegun) return;
    await endBarrier(context);
    const lift = liftFenceSql(await fenceState(context.oldSide, context.tables));
    if (lift) await context.oldSide.script(lift);
    context.facts.fenceBegun = false;
  },
};

/** A COMMIT whose answer was lost may still be under way: after this it is not. */
async function endBarrier({ facts, oldSide }: SwitchoverContext): Promise<void> {
  const { barrier } = facts;
  if (barrier === undefined || !facts.barrierHeld) return;
  await barrier.script(sql`ROLLBACK`).catch(() => undefined);
  if (barrier.lost !== undefined) await endBackend(oldSide, barrier.backendPid);
  facts.barrierHeld = false;
}
