import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchUnanswered } from './unanswered.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched(isAtWork: () => Promise<boolean>, received: () => number = () => 0) {
  const giveUp = vi.fn();
  return { giveUp, end: watchUnanswered({ received, isAtWork, giveUp }) };
}

const MINUTE_MS = 60_000;

test('a server at work is waited for as long as it takes', async () => {
  const { giveUp } = watched(async () => true);
  await vi.advanceTimersByTimeAsync(600 * MINUTE_MS);
  expect(giveUp).not.toHaveBeenCalled();
});

test('one that knows of nothing to do is given up at the second look', async () => {
  const { giveUp } = watched(async () => false);
  await vi.advanceTimersByTimeAsync(2 * MINUTE_MS - 1);
  expect(giveUp).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(giveUp).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(giveUp).toHaveBeenCalledTimes(1);
});

test('a long answer that still comes is waited for, and nobody is asked', async () => {
  let bytes = 0;
  const isAtWork = vi.fn(async () => false);
  const { giveUp } = watched(isAtWork, () => ++bytes);
  await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
  expect(giveUp).not.toHaveBeenCalled();
  expect(isAtWork).not.toHaveBeenCalled();
});

test('what is answered is watched no longer, also where the server is being asked', async () => {
  let answer = (_: boolean) => {};
  const { giveUp, end } = watched(() => new Promise((resolve) => (answer = resolve)));
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  end();
  answer(false);
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(giveUp).not.toHaveBeenCalled();
});
