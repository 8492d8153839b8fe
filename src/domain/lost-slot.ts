/** What a slot that is gone means. */

import type { Side } from './names.ts';

/** By the side that takes the writes. */
export const LOST_SLOT: Readonly<Record<Side, string>> = {
  source: 'changes are missing on the target for good; pgglide sync copies anew',
  target:
    'changes are missing on the source for good; a rollback would lose them, there is no way back any more',
};

export const LOST_SLOT_HINT: Readonly<Record<Side, string>> = {
  source: 'Run: pgglide sync',
  target: 'Run: pgglide complete',
};
