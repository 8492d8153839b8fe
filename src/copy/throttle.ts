/** Slows the copy down: bytes per second over all workers, and a pause for as long as someone gives a reason. */

export interface ThrottleOptions {
  /** Bytes per second; undefined for no limit. Asked again and again: it may change while the copy runs. */
  readonly rateLimit?: (() => number | undefined) | undefined;
  /** A reason to stand still, or undefined to go on. Asked before every read, so it must be quick. */
  readonly pausedBy?: (() => string | undefined) | undefined;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
}

/** How soon a pause is looked at again. */
const PAUSE_POLL_MS = 200;
/** Bytes that may pass at once after a quiet time, as a share of a second's worth. */
const BURST_SECONDS = 0.1;

/** A debt of bytes is worked off at the rate of the moment: a raised rate must not wait for the sleep of a low one. */
const RECHECK_MS = 1000;

/** A token bucket shared by all workers. */
export class Throttle {
  readonly #options: ThrottleOptions;
  /** Passed and not yet paid for; negative: what may pass at once. */
  #owedBytes = 0;
  #asOfMs: number | undefined;
  /** Of the time until now. */
  #bytesPerSecond = 0;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Counts `bytes` that have passed; returns how long to read nothing before asking again, in ms. */
  holdMs(bytes: number): number {
    if (this.#options.pausedBy?.() !== undefined) return PAUSE_POLL_MS;
    const bytesPerSecond = this.#options.rateLimit?.();
    const now = this.#options.now();
    const sinceMs = this.#asOfMs === undefined ? Number.POSITIVE_INFINITY : now - this.#asOfMs;
    this.#asOfMs = now;
    if (bytesPerSecond === undefined) {
      this.#owedBytes = 0;
      this.#bytesPerSecond = 0;
      return 0;
    }
    const paidBytes = (sinceMs / 1000) * (this.#bytesPerSecond || bytesPerSecond);
    this.#bytesPerSecond = bytesPerSecond;
    this.#owedBytes = Math.max(this.#owedBytes - paidBytes, -BURST_SECONDS * bytesPerSecond) + bytes;
    return Math.min(RECHECK_MS, Math.max(0, Math.ceil((this.#owedBytes * 1000) / bytesPerSecond)));
  }
}
