/** Hands out a stage's tasks to workers so that none waits for another's table lock. */

import type { RestoreStage, RestoreTask } from './classify-restore.ts';

/** Cheap statements share a transaction: a commit costs more than most of them. */
const BATCH = 50;

/** A REFRESH may take long; and what one statement sets for its transaction must not reach others. */
const wantsOwnTransaction = ({ statement }: RestoreTask): boolean =>
  statement.kind === 'MATERIALIZED VIEW DATA' || statement.sql.startsWith('SET LOCAL ');

export class TaskQueue {
  readonly #mode: RestoreStage['mode'];
  readonly #pending: RestoreTask[];
  readonly #busyTables = new Set<string>();
  #waiting: (() => void)[] = [];
  #hasFailed = false;
  #isOpen: boolean;

  /** `isOpen`: more tasks may come, until close(). */
  constructor(stage: Pick<RestoreStage, 'mode' | 'tasks'>, { isOpen = false } = {}) {
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
   * The next tasks, to be executed in one transaction; empty at the end. Waits while every pending task's table is busy,
   * and for tasks that may still come.
   */
  async take(): Promise<RestoreTask[]> {
    while (!this.#hasFailed && (this.#isOpen || this.#pending.length > 0)) {
      const batch = this.#mode === 'serial' ? this.#nextSerial() : this.#nextFree();
      if (batch.length > 0) return batch;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return [];
  }

  finish(batch: readonly RestoreTask[]): void {
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
