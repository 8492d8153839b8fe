/** The figures that decide between fine, warning and blocker. All may be set by the caller. */

export interface Thresholds {
  /** Publication + slot + subscription triples of each direction; the way out may need one more, for a resumed copy. */
  readonly lanes: number;
  /** How many move together: each needs links of its own. */
  readonly databases: number;
  /** Tables of the other databases that the barrier locks at the same time. */
  readonly tablesElsewhere: number;
  /** Parallel COPY sessions. */
  readonly jobs: number;
  /** The way back is wanted: what it needs on the source is then needed too. */
  readonly wantsReverse: boolean;
  readonly openTransactionMs: number;
  readonly longTransactionMs: number;
  readonly preparedTransactionMs: number;
  readonly clockDifferenceMs: number;
  /** Below this an idle slot is likely to be lost while the copy runs. */
  readonly slotWalKeepBytes: number;
  readonly senderTimeoutMs: number;
  /** Of the lock table, for the barrier alone. */
  readonly lockShare: number;
  /** Of autovacuum_freeze_max_age. */
  readonly freezeAgeShare: number;
}

const MINUTE_MS = 60_000;

export const DEFAULT_THRESHOLDS: Thresholds = {
  lanes: 1,
  databases: 1,
  tablesElsewhere: 0,
  jobs: 4,
  wantsReverse: true,
  openTransactionMs: MINUTE_MS,
  longTransactionMs: 5 * MINUTE_MS,
  preparedTransactionMs: MINUTE_MS,
  clockDifferenceMs: 1000,
  slotWalKeepBytes: 1024 ** 3,
  senderTimeoutMs: MINUTE_MS / 2,
  lockShare: 0.5,
  freezeAgeShare: 0.95,
};
