import { expect, test } from 'vitest';
import { Throttle } from './throttle.ts';

/** Reads of 64 kB until `seconds` of its own clock have passed; returns the bytes. */
function bytesIn(seconds: number, rateLimit: () => number | undefined): number {
  let nowMs = 1000;
  const throttle = new Throttle({ rateLimit, now: () => nowMs });
  const endMs = nowMs + seconds * 1000;
  let bytes = 0;
  while (nowMs < endMs) {
    bytes += 65536;
    const holdMs = throttle.holdMs(65536);
    nowMs += holdMs === 0 ? 0.1 : holdMs;
  }
  return bytes;
}

test('over time no more than the limit passes, and not much less', () => {
  for (const limit of [1e6, 10e6, 100e6]) {
    const perSecond = bytesIn(10, () => limit) / 10;
    expect(perSecond).toBeGreaterThan(limit * 0.9);
    expect(perSecond).toBeLessThan(limit * 1.1);
  }
});

test('a limit may be raised, lowered and lifted while bytes flow', () => {
  let nowMs = 1000;
  let limit: number | undefined = 1000;
  const throttle = new Throttle({ rateLimit: () => limit, now: () => nowMs });
  expect(throttle.holdMs(1000)).toBe(900);
  nowMs += 900;
  limit = 2000;
  expect(throttle.holdMs(1000)).toBe(500);
  limit = undefined;
  expect(throttle.holdMs(1e9)).toBe(0);
});

test('a quiet time is not saved up for a flood', () => {
  let nowMs = 0;
  const throttle = new Throttle({ rateLimit: () => 1000, now: () => nowMs });
  nowMs += 3_600_000;
  expect(throttle.holdMs(1000)).toBe(900);
});

test('a reason to pause holds until it is gone, whatever the limit', () => {
  let reason: string | undefined = 'replica lag';
  const throttle = new Throttle({ pausedBy: () => reason, now: () => 0 });
  expect(throttle.holdMs(1)).toBeGreaterThan(0);
  expect(throttle.holdMs(0)).toBeGreaterThan(0);
  reason = undefined;
  expect(throttle.holdMs(0)).toBe(0);
});

test('a raised rate is felt within a second, whatever was owed at the low one', () => {
  let nowMs = 0;
  let rate = 1;
  const throttle = new Throttle({ rateLimit: () => rate, now: () => nowMs });
  const holdMs = throttle.holdMs(1_000_000);
  expect(holdMs).toBeLessThanOrEqual(1000);
  nowMs += holdMs;
  rate = 1e9;
  expect(throttle.holdMs(0)).toBeLessThanOrEqual(1);
});
