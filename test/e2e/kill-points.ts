/** Where a switch can be killed or stopped. In the pause nothing is told, so there it is a statement that says where it is. */

import type { KillAt } from './tool.ts';

export const told = (step: string): KillAt => ({ type: 'switchover-step', step });

const BARRIER = 'IN EXCLUSIVE MODE';
const COMMIT_POINT = 'SET active_side';

/** By the id of the step that a server has just answered. */
export const IN_THE_PAUSE = {
  'raise-barrier': { statement: BARRIER },
  'drain-replication': { statement: 'bool_and\\(t\\.token', after: BARRIER },
  'open-new-side': { statement: '_1" DISABLE', after: BARRIER },
  'arm-return-link': { statement: 'pg_replication_origin_advance' },
  'fence-old-side': { statement: "fence_state', '1'[^]*COMMIT$", after: BARRIER },
  'commit-switch': { statement: COMMIT_POINT },
  'lift-fence': { statement: "fence_state', '0'[^]*COMMIT$", after: COMMIT_POINT },
} as const satisfies Readonly<Record<string, KillAt>>;
