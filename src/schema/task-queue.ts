/** Hands out a stage's tasks to workers so that none waits for another's table lock. */

import { Waiters } from '../base/waiters.ts';
import type { RestoreStage, RestoreTask } from './classify-restore.ts';
import { helpersOf } from './index-builds.ts';

/** Cheap statements share a transaction: a commit costs more than most of them. */
const BATCH = 50;

/** A REFRESH may take long; and what one statement sets for its transaction must not reach others. */
const wantsOwnTransaction = ({ statement }: RestoreTask): boolean =>
  statement.kind === 'MATERIALIZED VIEW DATA' || statement.sql.startsWith('SET LOCAL ');

export interface TakenTasks {
  readonly tasks: readonly RestoreTask[];
  /** How many jobs have nothing else to do meanwhile. */
  readonly helpers: number;
}

export class TaskQueue {
  readonly #jobs: number;
  readonly #mode: RestoreStage['mode'];
  readonly #pending: RestoreTask[];
  readonly #busyTables = new Set<string>();
  readonly #waiters = new Waiters();
  /** Not to be begun yet. */
  #expected: readonly RestoreTask[];
  #hasFailed = false;
  #running = 0;

  /** `jobs`: how many take at once. `expected`: tasks beside the stage's, which wait for release() or cancelExpected(). */
  constructor(
    stage: Pick<RestoreStage, 'mode' | 'tasks'>,
    { jobs = 1, expected = [] }: { readonly jobs?: number; readonly expected?: readonly RestoreTask[] } = {},
  ) {
    this.#jobs = jobs;
    this.#mode = stage.mode;
    this.#pending = [...stage.tasks];
    this.#expected = expected;
  }

  /** Those of the expected tasks may begin. */
  release(isReady: (task: RestoreTask) => boolean): void {
    this.#pending.push(...this.#expected.filter(isReady));
    this.#expected = this.#expected.filter((task) => !isReady(task));
    this.#waiters.wake();
  }

  /** None of those that are still expected will come. */
  cancelExpected(): void {
    this.#expected = [];
    this.#waiters.wake();
  }

  /**
   * The next tasks, to be executed in one transaction; none at the end. Waits while every pending task's table is busy,
   * and for expected ones.
   */
  async take(): Promise<TakenTasks> {
    while (!this.#hasFailed && this.#expected.length + this.#pending.length > 0) {
      const batch = this.#mode === 'serial' ? this.#nextSerial() : this.#nextFree();
      if (batch.length > 0) return this.#begin(batch);
      await this.#waiters.wait();
    }
    return { tasks: [], helpers: 0 };
  }

  #begin(tasks: readonly RestoreTask[]): TakenTasks {
    this.#running += 1;
    const left = [...this.#pending, ...this.#expected];
    const [task] = tasks;
    const load = { jobs: this.#jobs, running: this.#running, left };
    return { tasks, helpers: task === undefined ? 0 : helpersOf(task, load) };
  }

  finish(batch: readonly RestoreTask[]): void {
    this.#running -= 1;
    for (const table of batch.flatMap((task) => task.excludes)) this.#busyTables.delete(table);
    this.#waiters.wake();
  }

  /** No more tasks are handed out. */
  fail(): void {
    this.#hasFailed = true;
    this.#waiters.wake();
  }

  #nextSerial(): RestoreTask[] {
    const lonely = this.#pending.findIndex(wantsOwnTransaction);
    const end = lonely < 0 ? BATCH : Math.max(1, Math.min(lonely, BATCH));
    return this.#pending.splice(0, end);
  }

  #nextFree(): RestoreTask[] {
    const index = this.#pending.findIndex((task) => !this.#isBusy(task));
    if (index < 0) return [];
    // The dearest are first, so behind a cheap one there are only cheap ones; some stay for the other workers.
    const most = Math.min(BATCH, Math.ceil(this.#pending.length / 4));
    let end = index + 1;
    while (end < index + most && this.#mayShare(this.#pending[end - 1]) && this.#mayShare(this.#pending[end]))
      end += 1;
    const batch = this.#pending.splice(index, end - index);
    for (const table of batch.flatMap((task) => task.excludes)) this.#busyTables.add(table);
    return batch;
  }

  #mayShare(task: RestoreTask | undefined): boolean {
    return task?.isCheap === true && !wantsOwnTransaction(task) && !this.#isBusy(task);
  }

  #isBusy(task: RestoreTask): boolean {
    return task.excludes.some((table) => this.#busyTables.has(table));
  }
}
