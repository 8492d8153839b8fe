import type { Side } from '../domain/names.ts';

export type BothSides<T> = Readonly<Record<Side, T>>;

/** Runs the work on both sides at once. A failure of one stops the other by its signal; both have ended when this settles. */
export async function onBothSides<T>(
  work: (side: Side, signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<BothSides<T>> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  let failure: { error: unknown } | undefined;
  const guarded = async (side: Side) => {
    try {
      return await work(side, either);
    } catch (error) {
      failure ??= { error };
      stop.abort(error);
      throw error;
    }
  };
  const [source, target] = await Promise.allSettled([guarded('source'), guarded('target')]);
  if (source.status === 'fulfilled' && target.status === 'fulfilled') {
    return { source: source.value, target: target.value };
  }
  throw failure?.error;
}
