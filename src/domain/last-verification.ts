/** The verification that still counts. Pure. */

import type { MigrationEvent } from './event.ts';

type VerificationEvent = Extract<MigrationEvent, { type: 'verification-finished' }>;

/** Warnings after which the target's rows are others than those that were compared. */
const OVERTAKEN_BY: ReadonlySet<string> = new Set(['copied_anew', 'transaction_skipped']);

/** Undefined: none was made, or the target's rows were copied anew or left out since. */
export function lastVerification(events: readonly MigrationEvent[]): VerificationEvent | undefined {
  const last = events.findLast(
    (event) =>
      event.type === 'verification-finished' ||
      (event.type === 'warning' && OVERTAKEN_BY.has(event.data.code)),
  );
  return last?.type === 'verification-finished' ? last : undefined;
}
