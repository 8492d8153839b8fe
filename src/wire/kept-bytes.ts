/**
 * Bytes of a stream that cannot be passed on yet, in the pieces they came in. Put together once, when there are enough:
 * done for each piece that comes, a large message would be copied as often as it has pieces.
 */

const NOTHING = Buffer.alloc(0);

export class KeptBytes {
  #pieces: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** All of them, which are kept no longer. */
  take(): Buffer {
    const last = this.#pieces.pop() ?? NOTHING;
    const all = this.#pieces.length > 0 ? Buffer.concat([...this.#pieces, last]) : last;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#length = 0;
    return all;
  }
}
