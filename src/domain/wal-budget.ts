/** How much WAL a slot may keep on its server, and when to give it up. Pure: facts and limits in, a verdict out. */

export interface SlotWal {
  /** WAL that the slot keeps from being removed. */
  readonly retainedBytes: number;
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost';
  /** What the server lets be written before the slot is in danger; undefined without max_slot_wal_keep_size. */
  readonly safeWalBytes: number | undefined;
}

/** From this share of the limit on there is a warning. */
const WARN_AT = 0.7;

/** `give-up`: stop, and drop the slot, before the publisher's disk is full. */
export type WalVerdict = 'go' | 'warn' | 'give-up';

/** The nearer of our own limit, throttle.maxWalRetained, and the server's. */
export function walLimitBytes(slot: SlotWal, maxRetainedBytes: number): number {
  if (slot.safeWalBytes === undefined) return maxRetainedBytes;
  return Math.min(maxRetainedBytes, slot.retainedBytes + slot.safeWalBytes);
}

/** How the subscriber does: it comes nearer; it works on something large without having ended it; or neither, nobody follows. */
export type Pace = 'nearer' | 'steady' | 'none';

/** A slot whose subscriber is steady is given up only past so many times our own limit. */
const STEADY_FACTOR = 2;

/**
 * A slot past its limit is not given up while the subscriber takes over what is behind: a drop would throw the copy away
 * for WAL that is about to go anyway. One large transaction lets nothing go until it is applied: a steady subscriber has
 * twice our own limit, and never more than the server's. While rows are copied nothing can shrink.
 */
export function judgeWal(slot: SlotWal, maxRetainedBytes: number, pace: Pace): WalVerdict {
  if (slot.walStatus === 'lost') return 'give-up';
  if (slot.retainedBytes < walLimitBytes(slot, maxRetainedBytes))
    return isNearLimit(slot, maxRetainedBytes) ? 'warn' : 'go';
  return pace === 'nearer' || isBelowCap(slot, maxRetainedBytes, pace) ? 'warn' : 'give-up';
}

/** Or past it. */
export const isNearLimit = (slot: SlotWal, maxRetainedBytes: number): boolean =>
  slot.retainedBytes >= walLimitBytes(slot, maxRetainedBytes) * WARN_AT;

const isBelowCap = (slot: SlotWal, maxRetainedBytes: number, pace: Pace): boolean =>
  pace === 'steady' && slot.retainedBytes < walLimitBytes(slot, STEADY_FACTOR * maxRetainedBytes);

export interface LagSample {
  readonly atMs: number;
  readonly lagBytes: number;
  /** The walsender that serves the slot: it ends with its apply worker. */
  readonly activePid: number | undefined;
}

export function paceOf(samples: readonly LagSample[], windowMs: number): Pace {
  if (isComingNearer(samples, windowMs)) return 'nearer';
  const [first] = samples;
  const isSteady =
    first?.activePid !== undefined && samples.every(({ activePid }) => activePid === first.activePid);
  return isSteady ? 'steady' : 'none';
}

/** Samples of the last `windowMs`, oldest first. */
export const recent = (samples: readonly LagSample[], windowMs: number, nowMs: number): LagSample[] =>
  samples.filter(({ atMs }) => nowMs - atMs <= windowMs);

/**
 * Whether the subscriber has come nearer within the window. One large transaction does not move the position until it is
 * applied, so a short history is given the benefit of the doubt.
 */
function isComingNearer(samples: readonly LagSample[], windowMs: number): boolean {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return true;
  if (last.atMs - first.atMs < windowMs * 0.8) return true;
  return samples.some(({ lagBytes }) => lagBytes < first.lagBytes);
}
