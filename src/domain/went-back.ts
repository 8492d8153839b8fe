/** What it means that a publisher has gone back in time. */

import type { Lsn } from './lsn.ts';
import { otherSide, type Side } from './names.ts';

/** `side`: the one that takes the writes. Says the same for as long as it stands. */
export const wentBackText = (side: Side, appliedLsn: Lsn): string =>
  `the ${side} has gone back in time: the ${otherSide(side)} has taken over what it had written up to ${appliedLsn}, and its WAL ends before. What it writes until it is there again, the link leaves out without a word`;

const HOW = 'It was restored from a snapshot or a backup, or has lost its newest WAL.';

export const WENT_BACK_HINT: Readonly<Record<Side, string>> = {
  source: `${HOW} Restore it to its last moment; or, if it is to go on as it is: pgglide abort, then pgglide sync, which copies anew.`,
  target: `${HOW} Restore it to its last moment. If it is to go on as it is, there is no way back any more: what it lacks is on the source, to be brought over by hand; then pgglide complete --unverified.`,
};
