/** A session's unnamed statement, in memory that is used again and again. */

/** What is kept for the next one. */
const MAX_KEPT_BYTES = 65_536;

export class UnnamedStatement {
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;
  /** Nothing that matters is left behind when it is executed. */
  isHarmless = false;

  /** Query text, zero byte, parameter types; undefined when there is none. */
  get definition(): Buffer | undefined {
    return this.#size === 0 ? undefined : this.#bytes.subarray(0, this.#size);
  }

  keep(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    const isMuchTooLarge = this.#bytes.length > MAX_KEPT_BYTES && size <= MAX_KEPT_BYTES;
    if (this.#bytes.length < size || isMuchTooLarge)
      this.#bytes = Buffer.allocUnsafeSlow(Math.ceil(size / 256) * 256);
    bytes.copy(this.#bytes, 0, start, end);
    this.#size = size;
    this.isHarmless = false;
  }

  drop(): void {
    this.#size = 0;
  }
}
