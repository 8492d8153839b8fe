/**
 * The longest waits that the ledger could have told its reader, whenever he asked after the cutover. Pure.
 *
 * A report is written once, and the load goes on: a request that waits longer afterwards makes no report untrue. What
 * was the longest at no moment since the cutover is invented.
 */

import { type Ledger, measured } from '../../load/ledger.ts';

/** What `labctl traffic --around` looks at, on both sides of the moment. */
export const AROUND_MS = 10_000;

export interface Asked {
  /** Requests scheduled from here (inclusive) to `toMs` (exclusive); ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The earliest moment of reading. */
  readonly askedFromMs: number;
}

/** In ms, each longer than the one before. */
export function waitsTold(
  { header, outcomes }: Pick<Ledger, 'header' | 'outcomes'>,
  { fromMs, toMs, askedFromMs }: Asked,
): number[] {
  const { startedAtMs } = header;
  const known = measured(outcomes)
    .filter(({ atMs }) => startedAtMs + atMs >= fromMs && startedAtMs + atMs < toMs)
    .map(({ atMs, latencyMs }) => ({ doneMs: startedAtMs + atMs + latencyMs, latencyMs }))
    .sort((one, other) => one.doneMs - other.doneMs);
  const told: number[] = [];
  let longestMs = 0;
  for (const { doneMs, latencyMs } of known) {
    if (latencyMs <= longestMs) continue;
    if (doneMs <= askedFromMs) told.length = 0;
    told.push(latencyMs);
    longestMs = latencyMs;
  }
  return told;
}
