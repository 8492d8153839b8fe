/** How much WAL a slot may keep on its server, and when to give it up. Pure: facts and limits in, a verdict out. */

export interface SlotWal {
  /** WAL that the slot keeps from being removed. */
  readonly retainedBytes: number;
  readonly walStatus: 'reserved' | 'extended' | 'unreserved' | 'lost';
  /** What the server lets be written before the slot is in danger; undefined without max_slot_wal_keep_size. */
  readonly safeWalBytes: number | undefined;
}

export interface WalLimits {
  /** Our own limit: throttle.maxWalRetained. */
  readonly maxRetainedBytes: number;
  /** From this share of the limit on there is a warning, 0 to 1. */
  readonly warnAt: number;
}

/** `give-up`: stop, and drop the slot, before the publisher's disk is full. */
export type WalVerdict = 'go' | 'warn' | 'give-up';

/** The nearer of our own limit and the server's. */
export function walLimitBytes(slot: SlotWal, { maxRetainedBytes }: WalLimits): number {
  if (slot.safeWalBytes === undefined) return maxRetainedBytes;
  return Math.min(maxRetainedBytes, slot.retainedBytes + slot.safeWalBytes);
}

/**
 * @param isShrinking the subscriber takes over what is behind: a slot past its limit is then not given up, since a drop
 *   would throw the copy away for WAL that is about to go anyway. While rows are copied nothing can shrink.
 */
export function judgeWal(slot: SlotWal, limits: WalLimits, isShrinking: boolean): WalVerdict {
  if (slot.walStatus === 'lost') return 'give-up';
  const limit = walLimitBytes(slot, limits);
  if (slot.retainedBytes >= limit) return isShrinking ? 'warn' : 'give-up';
  return slot.retainedBytes >= limit * limits.warnAt ? 'warn' : 'go';
}

export interface LagSample {
  readonly atMs: number;
  readonly lagBytes: number;
}

/** Samples of the last `windowMs`, oldest first. */
export const recent = (samples: readonly LagSample[], windowMs: number, nowMs: number): LagSample[] =>
  samples.filter(({ atMs }) => nowMs - atMs <= windowMs);

/**
 * Whether the subscriber has come nearer within the window. One large transaction does not move the position until it is
 * applied, so a short history is given the benefit of the doubt.
 */
export function isComingNearer(samples: readonly LagSample[], windowMs: number): boolean {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return true;
  if (last.atMs - first.atMs < windowMs * 0.8) return true;
  return samples.some(({ lagBytes }) => lagBytes < first.lagBytes);
}
