/** Hands out a stage's tasks to workers so that none waits for another's table lock. */

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
  #waiting: (() => void)[] = [];
  #hasFailed = false;
  #isOpen: boolean;
  #running = 0;

  /** `jobs`: how many take at once. `isOpen`: more tasks may come, until close(). */
  constructor(stage: Pick<RestoreStage, 'mode' | 'tasks'>, { jobs = 1, isOpen = false } = {}) {
    this.#jobs = jobs;
    this.#mode = stage.mode;
    this.#pending = [...stage.tasks];
    this.#isOpen = isOpen;
  }

  add(tasks: readonly RestoreTask[]): void {
    this.#pending.push(...tasks);
    this.#wake();
  }

  /** Nothing more will come. */
  close(): void {
    this.#isOpen = false;
    this.#wake();
  }

  /**
   * The next tasks, to be executed in one transaction; none at the end. Waits while every pending task's table is busy,
   * and for tasks that may still come.
   */
  async take(): Promise<TakenTasks> {
    while (!this.#hasFailed && (this.#isOpen || this.#pending.length > 0)) {
      const batch = this.#mode === 'serial' ? this.#nextSerial() : this.#nextFree();
      if (batch.length > 0) return this.#begin(batch);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return { tasks: [], helpers: 0 };
  }

  #begin(tasks: readonly RestoreTask[]): TakenTasks {
    this.#running += 1;
    const load = { jobs: this.#jobs, running: this.#running, pending: this.#pending, isOpen: this.#isOpen };
    const [task] = tasks;
    return { tasks, helpers: task === undefined ? 0 : helpersOf(task, load) };
  }

  finish(batch: readonly RestoreTask[]): void {
    this.#running -= 1;
    for (const table of batch.flatMap((task) => task.excludes)) this.#busyTables.delete(table);
    this.#wake();
  }

  /** No more tasks are handed out. */
  fail(): void {
    this.#hasFailed = true;
    this.#wake();
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

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
