import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { raiseBarrier } from '../postgres/barrier.ts';
import { rollBack } from '../postgres/roll-back.ts';

/**
 * Locks every replicated table of the old side in EXCLUSIVE mode: writers wait, readers go on. It proves that
 * no writer is left, also none that goes around the traffic switch. Undo releases the locks.
 *
 * @throws {SwitchoverAbortedError} `barrier_timeout`
 */
export const raiseBarrierStep: SwitchoverStep = {
  id: 'raise-barrier',
  title: 'Barrier: no writer is left',
  describe: ({ from, tables }) => [`LOCK TABLE (${tables.length} tables) IN EXCLUSIVE MODE on the ${from}`],

  async run(context) {
    await raiseBarrier(barrierSession(context), context.tables, {
      budgetMs: context.remainingMs(),
      deadlockTimeoutMs: context.facts.deadlockTimeoutMs,
    });
    context.facts.barrierHeld = true;
    return `${context.tables.length} tables`;
  },

  async undo({ facts, from, open }) {
    const { barrier } = facts;
    if (barrier === undefined || !facts.barrierHeld) return;
    facts.barrierHeld = false;
    await rollBack(barrier, () => open(from, 'control'));
  },
};

function barrierSession({ facts }: SwitchoverContext) {
  if (facts.barrier === undefined) throw new Error('open-sessions has not run');
  return facts.barrier;
}
