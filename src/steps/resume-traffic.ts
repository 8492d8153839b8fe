import type { SwitchoverStep } from '../engine/switchover-step.ts';

/** Traffic goes on, on the new side. The stall ends here. Safe to repeat. */
export const resumeTraffic: SwitchoverStep = {
  id: 'resume-traffic',
  title: 'Traffic goes on, on the new side',
  isForAll: true,
  describe: ({ to }) => [`switch to the ${to}, release held transactions, staggered`],

  async run({ traffic, to, epoch, facts }) {
    const { waits, pauseMs } = await traffic.resume(to, epoch);
    facts.waits = waits;
    facts.pauseMs = pauseMs;
    facts.resumedAt = new Date().toISOString();
    return `${waits.heldRequests} held requests released, longest wait ${waits.longestWaitMs.toFixed(1)} ms`;
  },
};
