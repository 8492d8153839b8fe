import { expect, test } from 'vitest';
import { longestOfSeconds, summarize, windowStats } from './latency.ts';
import type { LedgerHeader, Outcome } from './ledger.ts';

const header: LedgerHeader = {
  ledger: 1,
  run: 'r',
  startedAtMs: 5_000,
  rate: 1_000,
  readShare: 1,
  warmupMs: 0,
};
/** One request each ms; the n-th took n + 1 ms; every tenth failed. */
const outcomes: Outcome[] = Array.from({ length: 100 }, (_, n) => ({
  n,
  atMs: n,
  latencyMs: n + 1,
  status: n % 10 === 9 ? 0 : 200,
  kind: 'read-order',
}));

test('a window counts by scheduled time, its end excluded', () => {
  const stats = windowStats({ header, outcomes }, 5_010, 5_020);
  expect(stats).toEqual({ requests: 10, failed: 1, longestMs: 20, p50Ms: 15, p95Ms: 20, p99Ms: 20 });
});

test('the longest wait of each second, of whole ones outside other spans', () => {
  const every100Ms = Array.from({ length: 50 }, (_, n) => ({
    ...outcomes[0],
    atMs: n * 100,
    latencyMs: 50 - n,
  }));
  const ledger = { header, outcomes: every100Ms as Outcome[] };
  expect(longestOfSeconds(ledger, { fromMs: 5_000, toMs: 9_999 }, [])).toEqual([20, 30, 40, 50]);
  // From 6.95 to 7.05 s: two seconds are touched.
  expect(longestOfSeconds(ledger, { fromMs: 5_000, toMs: 10_000 }, [{ fromMs: 6_950, toMs: 7_050 }])).toEqual(
    [10, 20, 50],
  );
  expect(longestOfSeconds(ledger, { fromMs: 20_000, toMs: 30_000 }, [])).toEqual([]);
});

test('percentiles are values that occurred', () => {
  expect(summarize(outcomes)).toMatchObject({ p50Ms: 50, p95Ms: 95, p99Ms: 99, longestMs: 100 });
  expect(summarize([])).toEqual({ requests: 0, failed: 0, longestMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 });
});
