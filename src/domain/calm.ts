/** Has a repeated measurement settled? Pure. */

const LAST = 5;
/** Timers and schedulers are this coarse. */
const NOISE_MS = 3;

/** True once the last five times are all near the best that was seen. */
export function isCalm(timesMs: readonly number[]): boolean {
  if (timesMs.length < LAST) return false;
  const best = Math.min(...timesMs);
  return timesMs.slice(-LAST).every((ms) => ms <= 2 * best + NOISE_MS);
}
