import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { dropSlot } from '../postgres/replication-slot.ts';

/**
 * Drops the slots of the link that is no longer used, so that no WAL is held for it. Publications and the disabled
 * subscriptions stay; the next switch creates fresh slots for them.
 */
export const retireOutLink: SwitchoverStep = {
  id: 'retire-out-link',
  title: 'Slot of the former direction dropped',
  describe: ({ from }) => [`drop the idle slot on the ${from}`],

  async run({ oldSide, outLanes }) {
    for (const lane of outLanes) await dropSlot(oldSide, lane.slot, { timeoutMs: 30_000 });
  },
};
