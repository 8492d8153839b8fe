/** What the ledger proves about the load and the application. Pure. */

import { type Ledger, measured, succeeded } from '../../load/ledger.ts';
import type { Sealed } from '../ledger-facts.ts';
import type { Baseline } from '../secrets.ts';

type Records = Pick<Ledger, 'header' | 'outcomes'>;

export interface Failures {
  readonly requests: number;
  readonly failed: number;
  /** When the first and the last of them were scheduled; ms since 1970. */
  readonly firstAtMs: number | undefined;
  readonly lastAtMs: number | undefined;
}

export function failuresOf({ header, outcomes }: Records): Failures {
  const all = measured(outcomes);
  const times = all.filter((outcome) => !succeeded(outcome)).map(({ atMs }) => header.startedAtMs + atMs);
  const sorted = times.sort((a, b) => a - b);
  return { requests: all.length, failed: times.length, firstAtMs: sorted[0], lastAtMs: sorted.at(-1) };
}

export interface Wait {
  readonly latencyMs: number;
  /** When it was scheduled; ms since 1970. */
  readonly atMs: number;
}

export function longestWait({ header, outcomes }: Records): Wait {
  return measured(outcomes).reduce<Wait>(
    (longest, { latencyMs, atMs }) =>
      latencyMs > longest.latencyMs ? { latencyMs, atMs: header.startedAtMs + atMs } : longest,
    { latencyMs: 0, atMs: 0 },
  );
}

/** A request that waits longer than this when the ledger is read counts as one that nobody answers. */
const PATIENCE_MS = 5_000;

/** When each of those was scheduled that were sent long ago and have no outcome yet; ms since 1970. */
export function unanswered(
  { header, outcomes }: Records,
  seals: readonly Sealed[],
  readAtMs: number,
): number[] {
  const sent = seals.at(-1)?.sent ?? 0;
  const isAnswered = new Uint8Array(sent);
  for (const { n } of outcomes) if (n < sent) isAnswered[n] = 1;
  const waiting: number[] = [];
  for (let n = isAnswered.indexOf(0); n >= 0; n = isAnswered.indexOf(0, n + 1)) {
    const atMs = header.startedAtMs + (n * 1000) / header.rate;
    if (readAtMs - atMs > PATIENCE_MS) waiting.push(atMs);
  }
  return waiting;
}

/** So far the generator may lag behind its schedule: a machine that is busy for a moment is no fraud. */
const MOST_LAG_SECONDS = 1;
/** The generator seals its ledger every second; twice as long means that it stood still. */
const LONGEST_GAP_SECONDS = 2;
const LATEST_SEAL_MS = 5_000;

/** Why the load was not kept; undefined: it was, every second from the start to now. */
export function loadFault(
  { header, closed }: Pick<Ledger, 'header' | 'closed'>,
  seals: readonly Sealed[],
  baseline: Pick<Baseline, 'rate'>,
  readAtMs: number,
): string | undefined {
  if (closed) return 'the load was stopped';
  if (header.rate !== baseline.rate) return `the load ran at ${header.rate}/s instead of ${baseline.rate}/s`;
  const last = seals.at(-1)?.second ?? 0;
  if (readAtMs - (header.startedAtMs + last * 1000) > LATEST_SEAL_MS) return 'the load stands still';
  const at = ({ second }: Sealed) => clock(header.startedAtMs + second * 1000);
  const gap = seals.find(({ second }, i) => second - (seals[i - 1]?.second ?? 0) > LONGEST_GAP_SECONDS);
  if (gap !== undefined) return `the load stood still before ${at(gap)}`;
  const behind = seals.find(({ second, sent }) => sent < header.rate * (second - MOST_LAG_SECONDS));
  return behind === undefined ? undefined : `at ${at(behind)} only ${behind.sent} requests had been sent`;
}

/** "06:02:11" */
export const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** What nobody but a forger does to the witness. */
export function tampering(
  ledger: Pick<Ledger, 'header' | 'broken'>,
  baseline: Pick<Baseline, 'ledgerStartedAtMs'>,
  isBaselineSigned: boolean,
): string[] {
  const found: string[] = [];
  if (ledger.broken !== undefined) found.push(`the ledger was changed: ${ledger.broken}`);
  if (ledger.header.startedAtMs !== baseline.ledgerStartedAtMs)
    found.push('the ledger is not the one that setup began');
  if (!isBaselineSigned) found.push("the grader's baseline was changed");
  return found;
}
