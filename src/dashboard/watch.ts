/** One look a second at the servers, however many pages are open; none while there is no page. */

import { sleep, withDeadline } from '../base/async.ts';
import type { Facts } from './facts.ts';
import { afterFailure, afterLook, NOTHING_SEEN, type Snapshot, toBeKnown } from './snapshot.ts';

/** A server that is frozen, or behind a network that is cut, says nothing at all. */
const LOOK_TIMEOUT_MS = 10_000;

export interface WatchTimes {
  readonly lookEveryMs: number;
  /** A page that is loaded again finds the sessions still open. */
  readonly lingerMs: number;
}

const TIMES: WatchTimes = { lookEveryMs: 1000, lingerMs: 5000 };

export class Watch implements AsyncDisposable {
  readonly #facts: Facts;
  readonly #times: WatchTimes;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #readers = 0;
  #seenEvents = -1;
  #snapshot = NOTHING_SEEN;
  #look: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(facts: Facts, times: WatchTimes = TIMES) {
    this.#facts = facts;
    this.#times = times;
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** While it is held the servers are looked at. */
  join(): Disposable {
    this.#readers += 1;
    this.#begin();
    return {
      [Symbol.dispose]: () => {
        this.#readers -= 1;
      },
    };
  }

  /** Resolves once a second, with the latest there is. Call it while joined. */
  next(signal?: AbortSignal): Promise<Snapshot> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve(this.#snapshot);
      };
      if (signal?.aborted || this.#stop.signal.aborted) return done();
      this.#waiting.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  /** For those who ask once. */
  async latest(): Promise<Snapshot> {
    using _ = this.join();
    await this.next();
    // A first look may take longer than the time between two.
    await this.#look?.catch(() => undefined);
    return this.#snapshot;
  }

  #begin(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // Who joined while the sessions were being closed waits.
      if (this.#readers > 0 && !this.#stop.signal.aborted) this.#begin();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pause = sleep(this.#times.lookEveryMs, signal).catch(() => undefined);
      this.#look ??= this.#lookOnce().finally(() => {
        this.#look = undefined;
      });
      await Promise.race([this.#look, pause]);
      for (const wake of [...this.#waiting]) wake();
      await pause;
      if (this.#readers === 0 && !(await this.#cameBack())) break;
    }
    for (const wake of [...this.#waiting]) wake();
    await this.#look;
    await this.#facts.rest();
  }

  /** Within the linger somebody joined again. */
  async #cameBack(): Promise<boolean> {
    const until = performance.now() + this.#times.lingerMs;
    while (this.#readers === 0 && performance.now() < until && !this.#stop.signal.aborted) {
      await sleep(Math.min(100, this.#times.lingerMs), this.#stop.signal).catch(() => undefined);
    }
    return this.#readers > 0;
  }

  async #lookOnce(): Promise<void> {
    const known = toBeKnown(this.#snapshot, this.#seenEvents);
    this.#seenEvents = this.#snapshot.journal.length;
    try {
      const seen = await withDeadline('Looking at the servers', LOOK_TIMEOUT_MS, this.#facts.look(known));
      this.#snapshot = afterLook(this.#snapshot, seen, Date.now());
    } catch (error) {
      this.#snapshot = afterFailure(this.#snapshot, error);
      await this.#facts.rest();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
