/** The verification that still counts, and for what. Pure. */

import type { MigrationEvent } from './event.ts';

/** The warning after which nobody knows what the link has left out. */
export const LINK_ALTERED = 'link_altered';

type VerificationEvent = Extract<MigrationEvent, { type: 'verification-finished' }>;

/** Warnings after which the target's rows are others than those that were compared. */
const OVERTAKEN_BY: ReadonlySet<string> = new Set(['copied_anew', 'transaction_skipped', LINK_ALTERED]);

type FinishedEvent = Extract<MigrationEvent, { type: 'switchover-finished' }>;

export const hasMovedTraffic = (event: MigrationEvent): event is FinishedEvent =>
  event.type === 'switchover-finished' && event.data.direction !== 'rehearsal';

/**
 * Undefined: none was made, or rows were copied or left out since (a table that joined has not been compared), or traffic
 * has moved and the comparison that belongs to it was not finished.
 */
export function lastVerification(events: readonly MigrationEvent[]): VerificationEvent | undefined {
  const last = events.findLast(
    (event) =>
      event.type === 'verification-finished' ||
      event.type === 'copy-finished' ||
      hasMovedTraffic(event) ||
      (event.type === 'warning' && OVERTAKEN_BY.has(event.data.code)),
  );
  return last?.type === 'verification-finished' ? last : undefined;
}

/** What it found was found while this side took the writes: not the comparison that belongs to the switch itself. */
export function differsSinceSwitch(events: readonly MigrationEvent[]): boolean {
  const last = lastVerification(events);
  return last?.data.mode === 'online' && !last.data.equal;
}

/** Somebody has altered the link, and nothing was compared since: that asks for a comparison where none is asked for else. */
export function isLinkInDoubt(events: readonly MigrationEvent[]): boolean {
  const last = events.findLast(
    ({ type, data }) =>
      type === 'verification-finished' || (type === 'warning' && data.code === LINK_ALTERED),
  );
  return last?.type === 'warning';
}

/** `fresh` alone lets a cutover through that wants a verification. */
export type Trust = 'never' | 'differences' | 'restarted' | 'stale' | 'fresh';

export interface Verified {
  readonly at: string;
  readonly equal: boolean;
  /** The follower was started again since. */
  readonly isOfAnotherRun?: boolean;
}

/**
 * What it is worth for the follower's present run. The link goes on behind what was confirmed last: a follower that is restored from a
 * backup, or a standby that was promoted before it had all, never gets what it lacks. Nothing tells that from a restart.
 */
export function verifiedFor({ at, data }: VerificationEvent, followerRun: string): Verified {
  const { equal, followerRun: compared } = data;
  return {
    at,
    equal,
    ...(compared === undefined || compared === followerRun ? {} : { isOfAnotherRun: true }),
  };
}

export function trustIn(verified: Verified | undefined, nowMs: number, staleAfterMs: number): Trust {
  if (verified === undefined) return 'never';
  if (!verified.equal) return 'differences';
  if (verified.isOfAnotherRun) return 'restarted';
  // One of the future was made by a clock that was set back since: nobody knows how old it is.
  return Math.abs(nowMs - Date.parse(verified.at)) > staleAfterMs ? 'stale' : 'fresh';
}
