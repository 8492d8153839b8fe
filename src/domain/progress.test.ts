import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addSample, fractionDone, ratePerSecond, remainingMs, type Sample } from './progress.ts';

test.each([
  [0, 10, 0],
  [5, 10, 0.5],
  [12, 10, 1],
  [-1, 10, 0],
  [0, 0, 1],
])('%d of %d', (done, total, fraction) => {
  expect(fractionDone(done, total)).toBe(fraction);
});

test.each([
  [{ done: 50, total: 100, perSecond: 10 }, 5000],
  [{ done: 100, total: 100, perSecond: 0 }, 0],
  [{ done: 120, total: 100, perSecond: 0 }, 0],
  [{ done: 1, total: 100, perSecond: 0 }, undefined],
])('what is left of %j', (progress, ms) => {
  expect(remainingMs(progress)).toBe(ms);
});

describe('a rate', () => {
  const gather = (samples: readonly Sample[], windowMs: number) =>
    samples.reduce<readonly Sample[]>((kept, sample) => addSample(kept, sample, windowMs), []);

  test('needs two samples', () => {
    expect(ratePerSecond([])).toBe(0);
    expect(ratePerSecond([{ atMs: 1, value: 5 }])).toBe(0);
  });

  test('follows the last window and forgets what was before', () => {
    const slowThenFast = [
      { atMs: 0, value: 0 },
      { atMs: 10_000, value: 10 },
      { atMs: 11_000, value: 1010 },
      { atMs: 12_000, value: 2010 },
    ];
    expect(ratePerSecond(gather(slowThenFast, 1000))).toBe(1000);
  });

  test('survives samples further apart than the window', () => {
    const samples = [
      { atMs: 0, value: 0 },
      { atMs: 60_000, value: 600 },
    ];
    expect(ratePerSecond(gather(samples, 1000))).toBe(10);
  });

  test('begins anew when the counter falls', () => {
    const samples = [
      { atMs: 0, value: 900 },
      { atMs: 1000, value: 0 },
      { atMs: 2000, value: 50 },
    ];
    expect(ratePerSecond(gather(samples, 10_000))).toBe(50);
  });

  test('is never negative, and keeps no more than the window holds', () => {
    const sample = fc.record({ atMs: fc.nat(100_000), value: fc.nat(1_000_000) });
    fc.assert(
      fc.property(fc.array(sample), fc.integer({ min: 1, max: 10_000 }), (samples, windowMs) => {
        const kept = gather(samples, windowMs);
        expect(ratePerSecond(kept)).toBeGreaterThanOrEqual(0);
        const last = kept.at(-1);
        const old = kept.filter((item) => item.atMs < (last?.atMs ?? 0) - windowMs);
        expect(old.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
