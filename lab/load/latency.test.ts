import { expect, test } from 'vitest';
import { summarize, windowStats } from './latency.ts';
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

test('percentiles are values that occurred', () => {
  expect(summarize(outcomes)).toMatchObject({ p50Ms: 50, p95Ms: 95, p99Ms: 99, longestMs: 100 });
  expect(summarize([])).toEqual({ requests: 0, failed: 0, longestMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 });
});
