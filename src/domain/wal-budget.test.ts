import { describe, expect, test } from 'vitest';
import { judgeWal, paceOf, recent, type SlotWal, walLimitBytes } from './wal-budget.ts';

const MB = 2 ** 20;
const LIMIT = 100 * MB;
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
    expect(judgeWal(slot(retained), LIMIT, 'none')).toBe(verdict);
  });

  test('a slot that is being caught up with is not given up', () => {
    expect(judgeWal(slot(150), LIMIT, 'nearer')).toBe('warn');
  });

  test('one whose subscriber works on a large transaction is not, up to twice our limit or the server’s own', () => {
    expect(judgeWal(slot(199), LIMIT, 'steady')).toBe('warn');
    expect(judgeWal(slot(200), LIMIT, 'steady')).toBe('give-up');
    expect(judgeWal(slot(150, { safeWalBytes: 1 * MB }), LIMIT, 'steady')).toBe('warn');
    expect(judgeWal(slot(150, { safeWalBytes: 0 }), LIMIT, 'steady')).toBe('give-up');
  });

  test('a lost one is, whatever it keeps and whoever follows', () => {
    expect(judgeWal(slot(0, { walStatus: 'lost' }), LIMIT, 'nearer')).toBe('give-up');
  });

  test('the server’s limit counts where it is nearer', () => {
    expect(walLimitBytes(slot(10, { safeWalBytes: 30 * MB }), LIMIT)).toBe(40 * MB);
    expect(walLimitBytes(slot(10, { safeWalBytes: 300 * MB }), LIMIT)).toBe(100 * MB);
    expect(judgeWal(slot(30, { safeWalBytes: 10 * MB }), LIMIT, 'none')).toBe('warn');
    // PostgreSQL counts below zero once the slot may be lost at the next checkpoint.
    expect(judgeWal(slot(50, { safeWalBytes: -5 * MB }), LIMIT, 'none')).toBe('give-up');
  });
});

describe('how the subscriber does', () => {
  const samples = (...lags: number[]) =>
    lags.map((lagBytes, index) => ({ atMs: index * 10_000, lagBytes, activePid: undefined }));
  const served = (...pids: (number | undefined)[]) =>
    pids.map((activePid, index) => ({ atMs: index * 10_000, lagBytes: 5 + index, activePid }));

  test('less behind than before', () => expect(paceOf(samples(9, 9, 8, 9), 30_000)).toBe('nearer'));
  test('no nearer in the whole window', () => expect(paceOf(samples(5, 6, 7, 8), 30_000)).toBe('none'));
  test('too early to tell', () => expect(paceOf(samples(5, 6), 30_000)).toBe('nearer'));
  test('nothing known', () => expect(paceOf([], 30_000)).toBe('nearer'));
  test('one worker through the whole window', () =>
    expect(paceOf(served(7, 7, 7, 7), 30_000)).toBe('steady'));
  test('one that failed and began anew, or ended', () => {
    expect(paceOf(served(7, 7, 8, 8), 30_000)).toBe('none');
    expect(paceOf(served(7, 7, 7, undefined), 30_000)).toBe('none');
  });
  test('what is older than the window is forgotten', () => {
    expect(recent(samples(1, 2, 3, 4), 10_000, 30_000).map(({ lagBytes }) => lagBytes)).toEqual([3, 4]);
  });
});
