import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { deadlockTimeoutMs } from '../postgres/barrier.ts';
import { yieldQuickly } from '../postgres/yielding-vacuum.ts';

/**
 * Opens every session that the pause will need, so that no log-in happens inside it: one for the barrier, one that
 * will lift the new side's fence, one that looks for late DDL, and one on each side for the pinned snapshots. Locks nothing.
 */
export const openSessions: SwitchoverStep = {
  id: 'open-sessions',
  title: 'Open the sessions the switch will need',
  describe: ({ from, to }) => [
    `open sessions: barrier and DDL on the ${from}, fence on the ${to}, a snapshot on each`,
  ],

  async run(context) {
    const [barrier, ddlWatch, lift, source, target] = await Promise.all([
      context.open(context.from, 'barrier'),
      context.open(context.from, 'late ddl'),
      context.open(context.to, 'fence'),
      context.open('source', 'snapshot'),
      context.open('target', 'snapshot'),
    ]);
    context.facts.barrier = barrier;
    context.facts.ddlWatch = ddlWatch;
    context.facts.lift = lift;
    context.facts.pins = { source, target };
    context.facts.deadlockTimeoutMs = await deadlockTimeoutMs(barrier);
    await Promise.all([yieldQuickly(barrier), yieldQuickly(lift)]);
  },

  async undo({ facts }) {
    const { barrier, ddlWatch, lift, pins } = facts;
    facts.barrier = undefined;
    facts.ddlWatch = undefined;
    facts.lift = undefined;
    facts.pins = undefined;
    const sessions = [barrier, ddlWatch, lift, pins?.source, pins?.target];
    await Promise.all(sessions.map((session) => session?.close()));
  },
};
