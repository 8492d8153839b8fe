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

/** A token bucket shared by all workers. */
export class Throttle {
  readonly #options: ThrottleOptions;
  /** When all bytes taken so far are paid for. */
  #paidUntilMs = 0;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  /** Counts `bytes` that have passed; returns how long to read nothing more, in ms. */
  holdMs(bytes: number): number {
    if (this.#options.pausedBy?.() !== undefined) return PAUSE_POLL_MS;
    const bytesPerSecond = this.#options.rateLimit?.();
    if (bytesPerSecond === undefined) return 0;
    const now = this.#options.now();
    const burstMs = BURST_SECONDS * 1000;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - burstMs) + (bytes * 1000) / bytesPerSecond;
    return Math.max(0, Math.ceil(this.#paidUntilMs - now));
  }
}
