import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { hangFence, unfencedRelations } from '../postgres/fence.ts';

/**
 * The pause raises the fence whose triggers were hung before it. What was made on the old side in between, such as a partition,
 * gets its trigger now; usually there is nothing to do. Safe to repeat.
 *
 * SHARE ROW EXCLUSIVE on those tables, for moments at a time.
 */
export const completeFence: SwitchoverStep = {
  id: 'complete-fence',
  title: 'No gap in the old side’s fence',
  describe: ({ from }) => [`on the ${from}: the fence's triggers where a table has been made meanwhile`],

  async run({ oldSide, tables }) {
    await hangFence(oldSide, await unfencedRelations(oldSide, tables));
  },
};
