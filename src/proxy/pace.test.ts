import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

function pacing(untilMs: number) {
  const clock = { ms: 0 };
  const pace = new Pace(untilMs, () => clock.ms);
  return {
    pace,
    work(pieces: number, ms: number) {
      clock.ms += ms;
      pace.done(pieces);
    },
  };
}

test('one at a time while all of them are done in half of the time', () => {
  const { pace, work } = pacing(180_000);
  expect(pace.width(1000)).toBe(1);
  work(10, 200);
  expect(pace.width(4000)).toBe(1);
  expect(pace.isOver).toBe(false);
});

test('more at once where that would last too long, but not without end', () => {
  const { pace, work } = pacing(180_000);
  work(10, 1900);
  expect(pace.width(1000)).toBe(3);
  expect(pace.width(100_000)).toBe(8);
  work(0, 180_000);
  expect(pace.isOver).toBe(true);
});
