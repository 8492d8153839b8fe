/** Builds the indexes of large tables while others are still being copied: a copy alone leaves cores of the target idle. */

import type { PlannedTable } from '../domain/plan.ts';
import { ident } from '../postgres/sql.ts';
import type { RestoreTask } from './classify-restore.ts';
import { type RestoreOptions, restoreQueue } from './restore-stage.ts';
import { TaskQueue } from './task-queue.ts';

/** The indexes of smaller tables are built after the copy, in no time, and need no sessions of their own before. */
const SMALLEST_BYTES = 32 * 1024 * 1024;

/**
 * What it does not finish, whatever the reason, is left to the stage itself, which looks at what is done and says what
 * is wrong. Disposing of it cancels what it is building.
 */
export class IndexesAhead implements AsyncDisposable {
  readonly #queue: TaskQueue;
  readonly #cancelling = new AbortController();
  readonly #built: Promise<void>;

  /** `stage`: the indexes that are not built yet. */
  constructor({ stage, signal, ...options }: RestoreOptions) {
    const expected = stage.tasks.filter(isWorthIt);
    this.#queue = new TaskQueue({ mode: 'parallel', tasks: [] }, { jobs: options.width, expected });
    const signals = [this.#cancelling.signal, ...(signal === undefined ? [] : [signal])];
    const total = stage.tasks.length;
    this.#built = restoreQueue(this.#queue, { ...options, total, signal: AbortSignal.any(signals) }).catch(
      () => undefined,
    );
  }

  /** All rows of the table are committed. */
  tableCopied(table: PlannedTable): void {
    const names = new Set([table, ...table.heaps].map(({ schema, name }) => ident(schema, name).text));
    this.#queue.release(({ statement }) => names.has(statement.table ?? ''));
  }

  /** All tables are copied: resolves when what was begun is built. */
  async finish(): Promise<void> {
    this.#queue.cancelExpected();
    await this.#built;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelling.abort();
    await this.finish();
  }
}

const isWorthIt = (task: RestoreTask): boolean => task.cost >= SMALLEST_BYTES;
