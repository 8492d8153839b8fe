/** Hands parts to workers: a large one alone, many small ones together. Pure. */

import type { CopyPart } from './parts.ts';

/** Small parts share a transaction up to this size ... */
const BATCH_BYTES = 8 * 1024 * 1024;
/** ... and this number: a batch's locks count against max_locks_per_transaction on both servers. */
const BATCH_PARTS = 50;

export class PartQueue {
  readonly #parts: readonly CopyPart[];
  #next = 0;

  /** @param parts in the order of planParts: largest first */
  constructor(parts: readonly CopyPart[]) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#next >= this.#parts.length;
  }

  /** The next transaction's worth; empty when nothing is left. */
  take(): readonly CopyPart[] {
    const start = this.#next;
    let bytes = 0;
    while (!this.isEmpty && this.#next - start < BATCH_PARTS) {
      const part = this.#parts[this.#next];
      bytes += part?.bytes ?? 0;
      if (this.#next > start && bytes > BATCH_BYTES) break;
      this.#next++;
    }
    return this.#parts.slice(start, this.#next);
  }
}
