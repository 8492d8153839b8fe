import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { hangFenceSql, liftFenceSql, raiseFenceSql } from '../postgres/fence.ts';
import { rollBack } from '../postgres/roll-back.ts';
import { list, sql } from '../postgres/sql.ts';

/**
 * Raises the fence on the old side inside the barrier's own transaction and commits it, before the commit point: a
 * writer that waited on the lock gets the fence's clear error, never a lost write, and should this tool stop or lose its
 * session at any later moment, the old side stays shut, so that never both sides take writes. That the COMMIT succeeds
 * proves that the barrier stood until now. Undo lifts the fence.
 *
 * Tables that hang-fence could not get before the pause get their trigger here, on locks that the barrier holds already.
 */
export const fenceOldSide: SwitchoverStep = {
  id: 'fence-old-side',
  title: 'Old side fenced',
  describe: ({ from }) => [`on the ${from}: ${raiseFenceSql().text}, COMMIT`],

  async run({ facts }) {
    const { barrier, unfenced } = facts;
    if (barrier === undefined) throw new Error('open-sessions has not run');
    facts.fenceBegun = true;
    await barrier.script(list([...unfenced.map(hangFenceSql), raiseFenceSql(), sql`COMMIT`], '; '));
    facts.barrierHeld = false;
  },

  async undo({ facts, oldSide, from, open }) {
    const { barrier } = facts;
    if (!facts.fenceBegun) return;
    // A COMMIT whose answer was lost may still be under way: after this it is not.
    if (barrier !== undefined && facts.barrierHeld) await rollBack(barrier, () => open(from, 'control'));
    facts.barrierHeld = false;
    // In no new session: whoever has taken over meanwhile has ended this one.
    await oldSide.script(liftFenceSql());
    facts.fenceBegun = false;
  },
};
