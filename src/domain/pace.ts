/** How fast the copy may go. */

export interface PaceSettings {
  /** Parts at once. */
  readonly jobs: number;
  /** Undefined: as fast as it goes. */
  readonly rateLimitBytesPerSecond: number | undefined;
  /** What it stands still for; undefined: it goes on. */
  readonly pausedBy: string | undefined;
}
