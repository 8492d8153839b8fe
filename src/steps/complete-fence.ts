import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import { fenceState, raiseFenceSql } from '../postgres/fence.ts';

/**
 * The pause raises the fence that was prepared before it. What was made on the old side in between, such as a partition,
 * gets its fence now; usually there is nothing to do. Safe to repeat.
 *
 * SHARE ROW EXCLUSIVE on those tables, for moments at a time.
 */
export const completeFence: SwitchoverStep = {
  id: 'complete-fence',
  title: 'No gap in the old side’s fence',
  describe: ({ from }) => [`on the ${from}: the fence's triggers where a table has been made meanwhile`],

  async run({ oldSide, tables }) {
    const raise = raiseFenceSql(await fenceState(oldSide, tables));
    if (raise !== undefined) await withBriefLock(oldSide, raise);
  },
};
