/** What the ledger proves about the load and the application. Pure. */

import type { Ledger, Outcome } from '../../load/ledger.ts';
import { succeeded } from '../../load/ledger.ts';
import type { Baseline } from '../secrets.ts';

type Records = Pick<Ledger, 'header' | 'outcomes'>;

/** All but the warm-up's. */
export const measured = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.filter((outcome) => outcome.warmup !== true);

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

/** Below so many of the scheduled requests a second counts as missed. */
const LEAST_SHARE = 0.95;
/** Requests of the last seconds may still be under way. */
const UNDER_WAY_SECONDS = 3;
/** The generator seals its ledger every second; twice as long means that it stood still. */
const LONGEST_GAP_SECONDS = 2;
const LATEST_SEAL_MS = 5_000;

/** Why the load was not kept; undefined: it was, every second from the start to now. */
export function loadFault(
  { header, outcomes, closed }: Pick<Ledger, 'header' | 'outcomes' | 'closed'>,
  sealed: readonly number[],
  baseline: Pick<Baseline, 'rate'>,
  readAtMs: number,
): string | undefined {
  if (closed) return 'the load was stopped';
  if (header.rate !== baseline.rate) return `the load ran at ${header.rate}/s instead of ${baseline.rate}/s`;
  const last = sealed.at(-1) ?? 0;
  if (readAtMs - (header.startedAtMs + last * 1000) > LATEST_SEAL_MS) return 'the load stands still';
  const gap = sealed.find((second, index) => second - (sealed[index - 1] ?? 0) > LONGEST_GAP_SECONDS);
  if (gap !== undefined) return `the load stood still before ${clock(header.startedAtMs + gap * 1000)}`;
  const missed = missedSecond(outcomes, header.rate, last - UNDER_WAY_SECONDS);
  if (missed === undefined) return undefined;
  return `at ${clock(header.startedAtMs + missed * 1000)} less than 95 % of the requests were sent`;
}

function missedSecond(outcomes: readonly Outcome[], rate: number, seconds: number): number | undefined {
  const counts = new Array<number>(Math.max(0, seconds)).fill(0);
  for (const { atMs } of outcomes) {
    const second = Math.floor(atMs / 1000);
    if (second < counts.length) counts[second] = (counts[second] ?? 0) + 1;
  }
  const missed = counts.findIndex((count) => count < rate * LEAST_SHARE);
  return missed < 0 ? undefined : missed;
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
