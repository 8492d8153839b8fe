/** A session with a server that may be away, or come back, while we go on with the other one. */

import { withDeadline } from '../base/async.ts';
import type { Connection } from './connection.ts';

const ANSWER_TIMEOUT_MS = 5_000;

export class LooseSession implements AsyncDisposable {
  readonly #open: () => Promise<Connection>;
  #session: Promise<Connection> | undefined;

  constructor(open: () => Promise<Connection>) {
    this.#open = open;
  }

  /** Rejects when there is no answer in time; the next question opens a new session. */
  async ask<T>(question: (connection: Connection) => Promise<T>, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    this.#session ??= this.#open();
    const session = this.#session;
    try {
      return await withDeadline('an answer', timeoutMs, session.then(question));
    } catch (error) {
      this.#session = undefined;
      session.then(
        (connection) => connection.destroy(),
        () => undefined,
      );
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }
}
