/** How many of many equal pieces of work to do at once, so that all are done in time: as few as possible. */

const WIDEST = 8;

export class Pace {
  readonly #untilMs: number;
  readonly #now: () => number;
  readonly #startedMs: number;
  #done = 0;

  /** `untilMs`: on the clock of `now`. */
  constructor(untilMs: number, now = () => performance.now()) {
    this.#untilMs = untilMs;
    this.#now = now;
    this.#startedMs = now();
  }

  get isOver(): boolean {
    return this.#now() >= this.#untilMs;
  }

  done(pieces: number): void {
    this.#done += pieces;
  }

  /** Aims at half of the time that is left: what comes may take longer than what was. */
  width(left: number): number {
    const now = this.#now();
    const pieceMs = (now - this.#startedMs) / Math.max(1, this.#done);
    return Math.min(
      WIDEST,
      Math.max(1, Math.ceil((left * pieceMs) / Math.max(1, (this.#untilMs - now) / 2))),
    );
  }
}
