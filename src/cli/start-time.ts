/** `cutover --at`: the moment that is named, and the waiting for it. */

import { sleep } from '../base/async.ts';
import { UsageError } from '../domain/errors.ts';

/** A zone is part of it: at night, on another continent's server, "03:00" means too many things. */
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/;

const LOOK_AT_CLOCK_MS = 10_000;

/** In ms since 1970. @throws {UsageError} `bad_usage` */
export function momentFlag(flag: string, text: string, nowMs = Date.now()): number {
  const atMs = MOMENT.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN;
  if (Number.isNaN(atMs)) {
    throw new UsageError('bad_usage', `${flag} takes a moment with its time zone, not "${text}"`, {
      hint: 'For example 2026-11-30T03:00Z or 2026-11-30T04:00+01:00.',
    });
  }
  if (atMs >= nowMs) return atMs;
  throw new UsageError('bad_usage', `${flag}: ${new Date(atMs).toISOString()} has passed`, {
    hint: `It is ${new Date(nowMs).toISOString()} by this machine’s clock.`,
  });
}

/** By the clock on the wall: a machine that slept, or whose clock was set, begins at that time all the same. */
export async function untilMoment(atMs: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = atMs - Date.now(); leftMs > 0; leftMs = atMs - Date.now()) {
    await sleep(Math.min(leftMs, LOOK_AT_CLOCK_MS), signal);
  }
}
