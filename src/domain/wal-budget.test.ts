import { describe, expect, test } from 'vitest';
import { isComingNearer, judgeWal, recent, type SlotWal, walLimitBytes } from './wal-budget.ts';

const MB = 2 ** 20;
const LIMITS = { maxRetainedBytes: 100 * MB, warnAt: 0.7 };
const slot = (retained: number, more: Partial<SlotWal> = {}): SlotWal => ({
  retainedBytes: retained * MB,
  walStatus: 'reserved',
  safeWalBytes: undefined,
  ...more,
});

describe('the verdict on what a slot keeps', () => {
  test.each([
    [0, 'go'],
    [69, 'go'],
    [70, 'warn'],
    [99, 'warn'],
    [100, 'give-up'],
    [500, 'give-up'],
  ])('%d of 100 MB: %s', (retained, verdict) => {
    expect(judgeWal(slot(retained), LIMITS, false)).toBe(verdict);
  });

  test('a slot that is being caught up with is not given up', () => {
    expect(judgeWal(slot(150), LIMITS, true)).toBe('warn');
  });

  test('a lost one is, whatever it keeps and whoever follows', () => {
    expect(judgeWal(slot(0, { walStatus: 'lost' }), LIMITS, true)).toBe('give-up');
  });

  test('the server’s limit counts where it is nearer', () => {
    expect(walLimitBytes(slot(10, { safeWalBytes: 30 * MB }), LIMITS)).toBe(40 * MB);
    expect(walLimitBytes(slot(10, { safeWalBytes: 300 * MB }), LIMITS)).toBe(100 * MB);
    expect(judgeWal(slot(30, { safeWalBytes: 10 * MB }), LIMITS, false)).toBe('warn');
    // PostgreSQL counts below zero once the slot may be lost at the next checkpoint.
    expect(judgeWal(slot(50, { safeWalBytes: -5 * MB }), LIMITS, false)).toBe('give-up');
  });
});

describe('whether the subscriber comes nearer', () => {
  const samples = (...lags: number[]) => lags.map((lagBytes, index) => ({ atMs: index * 10_000, lagBytes }));

  test('less behind than before', () => expect(isComingNearer(samples(9, 9, 8, 9), 30_000)).toBe(true));
  test('no nearer in the whole window', () =>
    expect(isComingNearer(samples(5, 6, 7, 8), 30_000)).toBe(false));
  test('too early to tell', () => expect(isComingNearer(samples(5, 6), 30_000)).toBe(true));
  test('nothing known', () => expect(isComingNearer([], 30_000)).toBe(true));
  test('what is older than the window is forgotten', () => {
    expect(recent(samples(1, 2, 3, 4), 10_000, 30_000).map(({ lagBytes }) => lagBytes)).toEqual([3, 4]);
  });
});
