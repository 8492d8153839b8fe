import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { yieldQuickly } from '../postgres/barrier.ts';
import { fenceState } from '../postgres/fence.ts';

/**
 * Opens every session that the pause will need, so that no log-in happens inside it: one for the barrier and
 * one on each side for the pinned snapshots. Also reads where the fences stand. Locks nothing.
 */
export const openSessions: SwitchoverStep = {
  id: 'open-sessions',
  title: 'Open the sessions the switch will need',
  describe: ({ from }) => [
    `open one session for the barrier on the ${from}, and one on each side for snapshots`,
  ],

  async run(context) {
    const [barrier, source, target] = await Promise.all([
      context.open(context.from, 'barrier'),
      context.open('source', 'snapshot'),
      context.open('target', 'snapshot'),
    ]);
    context.facts.barrier = barrier;
    context.facts.pins = { source, target };
    const [oldFence, newFence] = await Promise.all([
      fenceState(context.oldSide, context.tables),
      fenceState(context.newSide, context.tables),
      yieldQuickly(barrier),
    ]);
    context.facts.oldFence = oldFence;
    context.facts.newFence = newFence;
  },

  async undo({ facts }) {
    const { barrier, pins } = facts;
    facts.barrier = undefined;
    facts.pins = undefined;
    await Promise.all([barrier?.close(), pins?.source.close(), pins?.target.close()]);
  },
};
