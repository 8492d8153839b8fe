/**
 * Lets requests go a few at a time, in their order: all at once they would only share the processors, and the oldest
 * would be answered as late as the newest. It begins with what keeps a machine like this one busy, a guess at the
 * server's size, and widens by a quarter of a place with every request that has left it: a thousand quick ones are on
 * their way in some thirty milliseconds. A slow one gives its place up after a moment.
 */

import { sleep } from '../base/async.ts';

const WIDER = 0.25;

export class ReleaseWindow {
  #width: number;
  readonly #momentMs: number;
  #inside = 0;
  #waiting: (() => void)[] = [];

  constructor(width: number, momentMs: number) {
    this.#width = width;
    this.#momentMs = momentMs;
  }

  /** Resolves when there is room; the place is taken. */
  async enter(): Promise<void> {
    if (this.#hasRoom) {
      this.#inside += 1;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** The caller's request is on its way; it leaves the window when `answered` does, or soon. */
  leaveAfter(answered: Promise<void>): void {
    void Promise.race([answered, sleep(this.#momentMs)]).then(() => {
      this.#inside -= 1;
      this.#width += WIDER;
      this.#admit();
    });
  }

  get #hasRoom(): boolean {
    return this.#inside < Math.floor(this.#width);
  }

  #admit(): void {
    while (this.#hasRoom) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inside += 1;
      next();
    }
  }
}
