import { expect, test } from 'vitest';
import type { LedgerHeader, Outcome } from '../../load/ledger.ts';
import { failuresOf, loadFault, longestWait, tampering, unanswered } from './witness.ts';

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
const seals = Array.from({ length: 21 }, (_, second) => ({ second, sent: second * 10 }));
const now = header.startedAtMs + 20_500;
const fault = (sealed = seals, more = {}) =>
  loadFault({ header, closed: false, ...more }, sealed, { rate: 10 }, now);

test('a load that ran all the time has no fault', () => {
  expect(fault()).toBeUndefined();
});

test('a load that stood still is found by its seals, whatever it sent later', () => {
  expect(fault(seals.filter(({ second }) => second < 4 || second > 6))).toBe(
    'the load stood still before 06:00:07',
  );
  expect(fault(seals.slice(0, 12))).toBe('the load stands still');
});

test('a load that sent less than it should is found', () => {
  expect(fault(seals.map(({ second, sent }) => ({ second, sent: sent * 0.9 })))).toBe(
    'at 06:00:11 only 99 requests had been sent',
  );
});

test('a request that nobody answers is found before it has timed out', () => {
  const outcomes = steady.filter(({ n }) => n !== 42 && n < 190);
  expect(unanswered({ header, outcomes }, seals, now)).toEqual([header.startedAtMs + 4_200]);
});

test('a load that ended, or ran slower, was not kept', () => {
  expect(fault(seals, { closed: true })).toBe('the load was stopped');
  expect(fault(seals, { header: { ...header, rate: 5 } })).toContain('5/s instead of 10/s');
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
