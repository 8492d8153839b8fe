/** Waiting and bounding, all of it abortable. Times are in milliseconds. */

import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms`; rejects with the signal's reason when aborted first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

export class DeadlineError extends Error {
  readonly timeoutMs: number;
  constructor(what: string, timeoutMs: number) {
    super(`${what} took longer than ${timeoutMs} ms`);
    this.name = 'DeadlineError';
    this.timeoutMs = timeoutMs;
  }
}

/** Rejects with DeadlineError when `work` is not done in time. The work itself is not stopped: pass it a signal for that. */
export async function withDeadline<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls `probe` until it gives something other than undefined. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  options: { timeoutMs: number; intervalMs?: number; signal?: AbortSignal | undefined },
): Promise<T> {
  const started = performance.now();
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() - started > options.timeoutMs) throw new DeadlineError(what, options.timeoutMs);
    await sleep(options.intervalMs ?? 20, options.signal);
  }
}

/** Promise.all that throws only when nothing of it runs any more, and then what the first of them threw: a session may be used again. */
export async function allEnded<const T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}

/** The same; the first failure aborts the signal that all of them look at, and is its reason. */
export async function allOrAborted<const T extends readonly Promise<unknown>[]>(
  signal: AbortSignal,
  begin: (signal: AbortSignal) => T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const failed = new AbortController();
  const work = begin(AbortSignal.any([signal, failed.signal]));
  for (const one of work) one.catch((error: unknown) => failed.abort(error));
  return allEnded(work);
}

/** Runs `work` over the items, at most `width` at once. The first failure stops taking new items and is thrown once the running ones ended. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T, worker: number) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failure: { error: unknown } | undefined;
  const worker = async (index: number) => {
    while (failure === undefined) {
      const next = queue.next();
      if (next.done) return;
      try {
        await work(next.value, index);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, (_, index) => worker(index)));
  if (failure !== undefined) throw failure.error;
}
