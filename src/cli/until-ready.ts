/** `cutover --auto`: what a cutover still waits for, and the waiting. */

import { sleep } from '../base/async.ts';
import { PgglideError, UnreachableError } from '../domain/errors.ts';
import { trustIn } from '../domain/last-verification.ts';
import { formatDuration } from '../observers/quantity.ts';
import type { MigrationStatus } from '../observers/status.ts';

export interface CutoverLimits {
  readonly requireVerified: boolean;
  readonly staleAfterMs: number;
  readonly maxLagMs: number;
}

/** One text for each thing that is not there yet; none when a cutover would be let through now, as far as can be seen. Pure. */
export function missingFor(status: MigrationStatus, limits: CutoverLimits): string[] {
  const { phase, ready, link, traffic } = status;
  // The others have their own answer, which waiting does not change.
  if (phase === 'syncing') return ['the copy is under way'];
  if (phase !== 'following') return [];
  const lagMs = link?.lagMs ?? 0;
  return [
    ...(limits.requireVerified ? unverified(status, limits.staleAfterMs) : []),
    ...ready
      .filter(({ ok }) => !ok)
      .map(({ name, detail }) =>
        name === 'link runs' ? 'the link stands still' : [detail, name].join(' ').trim(),
      ),
    ...(lagMs > limits.maxLagMs ? [`lag ${formatDuration(lagMs)}`] : []),
    ...(traffic === undefined ? ['the traffic switch does not answer'] : []),
  ];
}

function unverified({ verified, at }: MigrationStatus, staleAfterMs: number): string[] {
  const now = Date.parse(at);
  switch (trustIn(verified, now, staleAfterMs)) {
    case 'never':
      return ['not verified'];
    case 'differences':
      return ['the last verification found differences'];
    case 'restarted':
      return ['verified before the target was started again'];
    case 'stale': {
      const ageMs = now - Date.parse(verified?.at ?? at);
      return [ageMs < 0 ? 'verified by a clock ahead of this one' : `verified ${formatDuration(ageMs)} ago`];
    }
    case 'fresh':
      return [];
  }
}

/** What the guards of a cutover refuse for and time may mend. An attempt that was given up in the pause is not of them. */
const PASSING: ReadonlySet<string> = new Set(['not_ready', 'not_verified', 'another_runner']);

export const mayPass = (error: unknown): error is PgglideError =>
  error instanceof PgglideError && PASSING.has(error.code);

export interface Waiting {
  readonly look: () => Promise<MigrationStatus>;
  readonly limits: CutoverLimits;
  /** Told when it changes. */
  readonly tell: (waitingFor: string) => void;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
}

/** A server that is away is waited for as well: nobody may be there to start this again. */
export async function untilReady({ look, limits, tell, intervalMs, signal }: Waiting): Promise<void> {
  for (let told = ''; ; await sleep(intervalMs, signal)) {
    signal.throwIfAborted();
    const missing = await look().then((status) => missingFor(status, limits), whyUnreachable);
    if (missing.length === 0) return;
    const text = missing.join('; ');
    if (text !== told) tell(text);
    told = text;
  }
}

function whyUnreachable(error: unknown): string[] {
  if (error instanceof UnreachableError) return [error.message];
  throw error;
}
