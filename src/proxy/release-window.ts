/**
 * Lets requests go a few at a time: all at once they would only wait for each other's turn on the processors,
 * behind the connections that are being opened and closed. A request leaves the window when it is answered,
 * or after a moment, so that a slow one holds nobody up.
 */

import { sleep } from '../base/async.ts';

export class ReleaseWindow {
  readonly #width: number;
  readonly #momentMs: number;
  #inside = 0;
  #waiting: (() => void)[] = [];

  constructor(width: number, momentMs: number) {
    this.#width = width;
    this.#momentMs = momentMs;
  }

  /** Resolves when there is room. */
  async enter(): Promise<void> {
    if (this.#inside >= this.#width) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#inside += 1;
  }

  /** The caller's request is on its way; it leaves the window when `answered` does, or soon. */
  leaveAfter(answered: Promise<void>): void {
    void Promise.race([answered, sleep(this.#momentMs)]).then(() => {
      this.#inside -= 1;
      this.#waiting.shift()?.();
    });
  }
}
