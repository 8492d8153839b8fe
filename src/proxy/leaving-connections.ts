/**
 * Server connections that serve nobody any more, closed one after another. The end of a server process costs more than
 * a request does, and takes the processor that requests wait for: each end is followed by a rest in proportion to it,
 * however fast or slow the machine is.
 */

import { sleep, withDeadline } from '../base/async.ts';
import type { ServerConnection } from './server-connection.ts';

type Leaving = Pick<ServerConnection, 'close' | 'untilClosed'>;

/** The held requests have their turn first. */
const FIRST_AFTER_MS = 300;
/** In units of the time that one end took: at most a tenth of one processor goes to ends. */
const REST_FACTOR = 9;
const SHORTEST_REST_MS = 5;
/** A server that is far away takes long without working. */
const LONGEST_REST_MS = 100;
const END_TIMEOUT_MS = 1_000;

export class LeavingConnections {
  readonly #leaving = new Set<Leaving>();
  #closing: Promise<void> | undefined;
  #hurry = new AbortController();

  add(connection: Leaving): void {
    this.#leaving.add(connection);
  }

  /** Begins to close them; said again it changes nothing. */
  close(): void {
    this.#closing ??= this.#closeCalmly().finally(() => {
      this.#closing = undefined;
    });
  }

  /** Their places on the server are needed: closes all without a rest, and resolves when they are gone, or when one does not go. */
  async closeNow(): Promise<void> {
    if (this.#leaving.size > 0) this.close();
    this.#hurry.abort();
    await this.#closing;
    this.#hurry = new AbortController();
  }

  /** Says goodbye to all and waits for none. */
  dismiss(): void {
    for (const connection of this.#leaving) connection.close();
    this.#leaving.clear();
    this.#hurry.abort();
  }

  async #closeCalmly(): Promise<void> {
    await this.#rest(FIRST_AFTER_MS);
    for (const connection of this.#leaving) {
      this.#leaving.delete(connection);
      const startedMs = performance.now();
      connection.close();
      const isEnded = await withDeadline('the end', END_TIMEOUT_MS, connection.untilClosed()).then(
        () => true,
        () => false,
      );
      // A server that stands still: whoever waits for the places would wait as long for each.
      if (!isEnded && this.#hurry.signal.aborted) return this.dismiss();
      const restMs = REST_FACTOR * (performance.now() - startedMs);
      await this.#rest(Math.min(LONGEST_REST_MS, Math.max(SHORTEST_REST_MS, restMs)));
    }
  }

  async #rest(ms: number): Promise<void> {
    await sleep(ms, this.#hurry.signal).catch(() => undefined);
  }
}
