/** How far, how fast, how long still. Pure; the caller brings the clock. */

/** Done share from 0 to 1; what has nothing to do is done. */
export const fractionDone = (done: number, total: number): number =>
  total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));

/** Time left in ms; undefined while nothing moves. */
export function remainingMs(progress: {
  readonly done: number;
  readonly total: number;
  readonly perSecond: number;
}): number | undefined {
  const left = progress.total - progress.done;
  if (left <= 0) return 0;
  return progress.perSecond > 0 ? (left / progress.perSecond) * 1000 : undefined;
}

export interface Sample {
  readonly atMs: number;
  /** A counter that only grows. */
  readonly value: number;
}

/** The samples of the last `windowMs`, and the one before them, so that a window with one sample still has a rate. */
export function addSample(samples: readonly Sample[], sample: Sample, windowMs: number): readonly Sample[] {
  const last = samples.at(-1);
  // A counter that fell began anew: a table that is copied again.
  if (last !== undefined && (sample.value < last.value || sample.atMs < last.atMs)) return [sample];
  const all = [...samples, sample];
  const firstInside = all.findIndex((item) => item.atMs >= sample.atMs - windowMs);
  return all.slice(Math.max(0, firstInside - 1));
}

/** Over the whole span of the samples; 0 with fewer than two of them. */
export function ratePerSecond(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return ((last.value - first.value) / (last.atMs - first.atMs)) * 1000;
}
