/** The bulk copy: all parts of a plan, out of one snapshot of the source, into the target. */

import type { ServerAddress } from '../config/server-address.ts';
import type { CopyProgress } from '../domain/event.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { Connection } from '../postgres/connection.ts';
import { flushWal } from '../postgres/wal.ts';
import { type CopyContext, copyBatch, type FinishedPart } from './copy-batch.ts';
import { serverEncoding } from './formats.ts';
import { PartQueue } from './part-queue.ts';
import type { CopyPart } from './parts.ts';
import { CopyMeter } from './progress.ts';
import { CopySessions } from './session.ts';
import { Throttle } from './throttle.ts';

export interface CopyOptions {
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** An exported snapshot of the source; whoever exported it keeps it until copyParts has ended. */
  readonly snapshot: string;
  /** From planCopy, less those of tables that are complete. The tables hold no row of these parts. */
  readonly parts: readonly CopyPart[];
  /** How many parts at once. Asked again and again: it may change while the copy runs. */
  readonly jobs: () => number;
  /** Bytes per second over all jobs; undefined for no limit. Asked again and again. */
  readonly rateLimit?: () => number | undefined;
  /** A reason to stand still (shown by whoever gives it), or undefined to go on. Called before every read. */
  readonly pausedBy?: () => string | undefined;
  /** Called inside the target's transaction that holds the rows of these parts. */
  readonly recordParts: (target: Connection, parts: readonly FinishedPart[]) => Promise<void>;
  /** Four times a second, and at the end. */
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Once for each table, when its last part is committed, while others are still being copied. */
  readonly onTableCopied?: (table: PlannedTable) => void;
  readonly signal?: AbortSignal;
}

export interface CopyResult {
  readonly rows: number;
  /** Bytes on the wire. */
  readonly bytes: number;
  readonly seconds: number;
}

const TICK_MS = 250;

/**
 * Copies all parts; when it resolves every row is on the target's disk. When it rejects (on abort too) no session
 * of the copy is left on a server that can be reached, and of the parts exactly those are there whose recordParts
 * transaction was committed.
 *
 * @throws what copyFailure names; UnreachableError of Connection.open; the signal's reason when aborted
 * @see https://www.postgresql.org/docs/current/sql-set-transaction.html (SET TRANSACTION SNAPSHOT)
 */
export async function copyParts(options: CopyOptions): Promise<CopyResult> {
  options.signal?.throwIfAborted();
  return new CopyRun(options).run();
}

class CopyRun {
  readonly #options: CopyOptions;
  readonly #queue: PartQueue;
  readonly #meter: CopyMeter;
  readonly #sessions: CopySessions;
  readonly #startedMs = performance.now();
  readonly #workers = new Set<Promise<void>>();
  readonly #total = { rows: 0, bytes: 0 };
  /** Workers that will take another batch. */
  #activeWorkers = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#queue = new PartQueue(options.parts);
    this.#meter = new CopyMeter(options.parts, this.#startedMs);
    this.#sessions = new CopySessions(options);
  }

  async run(): Promise<CopyResult> {
    const { signal, target } = this.#options;
    const onAbort = () => this.#fail(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    try {
      await using control = await Connection.open(target, { purpose: 'copy control' });
      await this.#copyAll(await this.#context(control));
      if (this.#failure === undefined) await flushWal(control);
    } catch (error) {
      this.#fail(error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await this.#sessions.end();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#tellProgress();
    return { ...this.#total, seconds: (performance.now() - this.#startedMs) / 1000 };
  }

  async #context(control: Connection): Promise<CopyContext> {
    const { snapshot, recordParts, rateLimit, pausedBy } = this.#options;
    return {
      snapshot,
      recordParts,
      encoding: await serverEncoding(control),
      throttle: new Throttle({ rateLimit, pausedBy, now: () => performance.now() }),
      onData: (part, bytes, rows) => this.#meter.passed(part, bytes, rows),
    };
  }

  async #copyAll(context: CopyContext): Promise<void> {
    const ticker = setInterval(() => {
      this.#startWorkers(context);
      this.#tellProgress();
    }, TICK_MS);
    try {
      this.#startWorkers(context);
      while (this.#workers.size > 0) await Promise.race(this.#workers);
    } finally {
      clearInterval(ticker);
    }
  }

  get #jobs(): number {
    return Math.max(1, Math.trunc(this.#options.jobs()) || 1);
  }

  get #mayTakeMore(): boolean {
    return this.#failure === undefined && !this.#queue.isEmpty;
  }

  #startWorkers(context: CopyContext): void {
    while (this.#mayTakeMore && this.#activeWorkers < this.#jobs) {
      this.#activeWorkers++;
      const worker = this.#runWorker(context)
        .catch((error) => this.#fail(error))
        .finally(() => this.#workers.delete(worker));
      this.#workers.add(worker);
    }
  }

  async #runWorker(context: CopyContext): Promise<void> {
    const source = await this.#sessions.open('source');
    const target = await this.#sessions.open('target');
    while (this.#mayTakeMore && this.#activeWorkers <= this.#jobs) {
      this.#finish(await copyBatch(context, { source, target }, this.#queue.take()));
    }
    this.#activeWorkers--;
    if (this.#failure !== undefined) return;
    await this.#sessions.close('source', source);
    await this.#sessions.close('target', target);
  }

  #finish(finished: readonly FinishedPart[]): void {
    for (const { part, rows, bytes } of finished) {
      this.#total.rows += rows;
      this.#total.bytes += bytes;
      if (this.#meter.finished(part, rows)) this.#options.onTableCopied?.(part.table);
    }
  }

  /** The first failure is the one that is told; the others follow from it. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#sessions.cut();
  }

  #tellProgress(): void {
    this.#options.onProgress?.(this.#meter.progress(performance.now()));
  }
}
