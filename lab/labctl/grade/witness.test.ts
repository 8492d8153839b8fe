import { expect, test } from 'vitest';
import type { LedgerHeader, Outcome } from '../../load/ledger.ts';
import { failuresOf, loadFault, longestWait, tampering } from './witness.ts';

const header: LedgerHeader = {
  ledger: 1,
  run: 'abcdef01',
  startedAtMs: Date.parse('2026-11-22T06:00:00Z'),
  rate: 10,
  readShare: 0.7,
  warmupMs: 0,
};

const outcome = (n: number, more: Partial<Outcome> = {}): Outcome => ({
  n,
  atMs: n * 100,
  latencyMs: 5,
  status: 200,
  kind: 'read-order',
  ...more,
});

const steady = Array.from({ length: 200 }, (_, n) => outcome(n));
const seconds = Array.from({ length: 21 }, (_, second) => second);
const now = header.startedAtMs + 20_500;
const fault = (outcomes: readonly Outcome[], sealed = seconds, more = {}) =>
  loadFault({ header, outcomes, closed: false, ...more }, sealed, { rate: 10 }, now);

test('a load that ran all the time has no fault', () => {
  expect(fault(steady)).toBeUndefined();
});

test('a load that stood still is found by its seals, whatever it sent later', () => {
  expect(fault(steady, [0, 1, 2, 3, 7, 8, ...seconds.slice(9)])).toBe('the load stood still before 06:00:07');
  expect(fault(steady, seconds.slice(0, 12))).toBe('the load stands still');
});

test('a second with less than its requests is found', () => {
  expect(fault(steady.filter(({ n }) => n !== 42))).toBe(
    'at 06:00:04 less than 95 % of the requests were sent',
  );
  expect(fault(steady.filter(({ n }) => n < 190))).toBeUndefined(); // those may be under way
});

test('a load that ended, or ran slower, was not kept', () => {
  expect(fault(steady, seconds, { closed: true })).toBe('the load was stopped');
  expect(fault(steady, seconds, { header: { ...header, rate: 5 } })).toContain('5/s instead of 10/s');
});

test('the warm-up counts neither for failures nor for waits', () => {
  const outcomes = [
    outcome(0, { status: 500, latencyMs: 900, warmup: true }),
    outcome(1, { status: 0, latencyMs: 70 }),
    outcome(2, { status: 409 }),
    outcome(3),
  ];
  expect(failuresOf({ header, outcomes })).toEqual({
    requests: 3,
    failed: 2,
    firstAtMs: header.startedAtMs + 100,
    lastAtMs: header.startedAtMs + 200,
  });
  expect(longestWait({ header, outcomes })).toEqual({ latencyMs: 70, atMs: header.startedAtMs + 100 });
});

test('another ledger, a changed one and a changed baseline are tampering', () => {
  const baseline = { ledgerStartedAtMs: header.startedAtMs };
  expect(tampering({ header, broken: undefined }, baseline, true)).toEqual([]);
  expect(tampering({ header, broken: 'line 7' }, { ledgerStartedAtMs: 1 }, false)).toHaveLength(3);
});
