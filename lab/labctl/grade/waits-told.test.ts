import { expect, test } from 'vitest';
import type { LedgerHeader, Outcome } from '../../load/ledger.ts';
import { waitsTold } from './waits-told.ts';

const header: LedgerHeader = {
  ledger: 1,
  run: 'abcdef01',
  startedAtMs: 1_000_000,
  rate: 10,
  readShare: 0.7,
  warmupMs: 0,
};
/** One every 100 ms, the given ones slower. */
const outcomes = (slow: Record<number, number>): Outcome[] =>
  Array.from({ length: 400 }, (_, n) => ({
    ...{ n, atMs: n * 100, latencyMs: slow[n] ?? 5, status: 200, kind: 'read-order' as const },
    ...(n < 10 ? { warmup: true as const } : {}),
  }));
/** The cutover is 20 s after the start, and could be asked for a second later. */
const around = { fromMs: 1_010_000, toMs: 1_030_000, askedFromMs: 1_021_000 };

test('what was the longest when the report was written stays true when another request waits longer', () => {
  const slow = { 150: 30, 200: 45, 250: 86, 290: 60, 310: 900 };
  expect(waitsTold({ header, outcomes: outcomes(slow) }, around)).toEqual([45, 86]);
});

test('less than the cutover itself took was told at no time', () => {
  const slow = { 150: 30, 199: 400 };
  expect(waitsTold({ header, outcomes: outcomes(slow) }, around)).toEqual([400]);
});

test('the warm-up does not count', () => {
  const all = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, askedFromMs: 1_021_000 };
  expect(waitsTold({ header, outcomes: outcomes({ 3: 700, 200: 45, 350: 90 }) }, all)).toEqual([45, 90]);
});
