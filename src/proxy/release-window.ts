/**
 * Lets requests go a few at a time, in their order: all at once they would only share the processors, and the oldest
 * would be answered as late as the newest. It begins with what this machine could run at once, a guess at the server's
 * size, and widens with every request that is answered within a moment. A slow one gives its place up after that, and
 * widens it a little, too: a thousand of them are on their way in some fifty milliseconds.
 */

import { sleep } from '../base/async.ts';

const WIDER_AFTER_SLOW = 0.25;

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
    const quick = answered.then(() => true);
    const slow = sleep(this.#momentMs).then(() => false);
    void Promise.race([quick, slow]).then((isQuick) => {
      this.#inside -= 1;
      this.#width += isQuick ? 1 : WIDER_AFTER_SLOW;
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
