/** What a user runs next, by where the migration stands. Pure. */

import type { SwitchoverDirection } from './event.ts';
import type { Phase } from './phase.ts';

export interface Standing {
  readonly phase: Phase;
  /** A switch that was begun and not ended. */
  readonly interrupted?: SwitchoverDirection | undefined;
  /** The last verification that counts found both sides equal. */
  readonly isVerified?: boolean;
  /** It found differences, or the link was altered since, so that there may be some. */
  readonly differs?: boolean;
  /** Something stands in the way, and is told beside this. */
  readonly hasProblems?: boolean;
  /** While the target takes the writes: nothing follows it any more. */
  readonly isWayBackGone?: boolean;
}

export function nextCommand(standing: Standing): string {
  if (standing.interrupted !== undefined) return `pgglide ${standing.interrupted}`;
  if (standing.phase === 'switched' && standing.isWayBackGone) return 'pgglide complete';
  const command = COMMAND[standing.phase](standing);
  const mayGoOn = !standing.hasProblems || !['following', 'switched'].includes(standing.phase);
  return mayGoOn ? command : `mend what is told above, then ${command}`;
}

const COMMAND: Readonly<Record<Phase, (standing: Standing) => string>> = {
  new: () => 'pgglide check, then pgglide sync',
  syncing: () => 'pgglide sync',
  following: ({ isVerified, hasProblems }) =>
    isVerified && !hasProblems
      ? 'pgglide cutover --dry-run, then pgglide cutover'
      : 'pgglide verify, then pgglide cutover',
  switched: ({ differs }) =>
    differs
      ? 'pgglide verify, which shows what differs, if anything; then pgglide rollback, or pgglide complete'
      : 'pgglide rollback, or pgglide complete',
  completed: () => 'nothing: the migration is complete',
  aborted: () => 'pgglide sync begins anew',
};
