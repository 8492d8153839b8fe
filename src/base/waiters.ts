/** Who waits for a moment that will come. */

export class Waiters {
  #resolves: (() => void)[] = [];

  /** Resolves at the next `wake()`, or when the signal is aborted. */
  async wait(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resolves.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  wake(): void {
    if (this.#resolves.length === 0) return;
    // Whoever is woken may wait again: in another list.
    const resolves = this.#resolves;
    this.#resolves = [];
    for (const resolve of resolves) resolve();
  }
}
