/** What the charts show: one point a look, the last ten minutes of looks. Pure. */

import type { MigrationStatus } from '../observers/status.ts';

export interface Sample {
  readonly atMs: number;
  readonly lagBytes: number | undefined;
  readonly lagMs: number | undefined;
  readonly retainedWalBytes: number | undefined;
  /** Since the point before; undefined for the first one and where the switch does not count. */
  readonly requestsPerSecond: number | undefined;
  readonly heldNow: number | undefined;
  /** Kept for the next point's rate. */
  readonly requests: number | undefined;
}

const KEPT_MS = 600_000;
/** A rate over a longer gap would hide what happened in it. */
const LONGEST_GAP_MS = 10_000;

export function addSample(before: readonly Sample[], status: MigrationStatus, atMs: number): Sample[] {
  const { link, requests } = status;
  const sample: Sample = {
    atMs,
    lagBytes: link?.lagBytes,
    lagMs: link?.lagMs,
    retainedWalBytes: link?.retainedWalBytes,
    requestsPerSecond: rateSince(before.at(-1), requests?.total, atMs),
    heldNow: requests?.heldNow,
    requests: requests?.total,
  };
  return [...before.filter((one) => one.atMs > atMs - KEPT_MS), sample];
}

/** A proxy that was started anew counts from zero: no rate then. */
function rateSince(last: Sample | undefined, requests: number | undefined, atMs: number): number | undefined {
  if (last?.requests === undefined || requests === undefined || requests < last.requests) return undefined;
  const elapsedMs = atMs - last.atMs;
  if (elapsedMs <= 0 || elapsedMs > LONGEST_GAP_MS) return undefined;
  return ((requests - last.requests) * 1000) / elapsedMs;
}
