import { describe, expect, test } from 'vitest';
import { allEnded, allOrAborted, DeadlineError, inParallel, sleep, until, withDeadline } from './async.ts';

test('sleep rejects with the reason of its abort', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
});

test('withDeadline gives up on what never ends', async () => {
  await expect(withDeadline('waiting', 1, new Promise(() => undefined))).rejects.toThrow(DeadlineError);
  await expect(withDeadline('waiting', 60_000, Promise.resolve(7))).resolves.toBe(7);
});

test('until asks again until there is an answer', async () => {
  let asked = 0;
  const answer = await until('an answer', async () => (++asked === 3 ? asked : undefined), {
    timeoutMs: 60_000,
    intervalMs: 0,
  });
  expect(answer).toBe(3);
  await expect(until('nothing', async () => undefined, { timeoutMs: 0, intervalMs: 0 })).rejects.toThrow(
    DeadlineError,
  );
});

test('inParallel never runs more than its width, and stops taking work after a failure', async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    done.push(item);
  });
  expect(most).toBe(2);
  expect(done.sort()).toEqual([1, 2, 3, 4, 5]);
  const begun: number[] = [];
  const work = inParallel([1, 2, 3], 1, async (item) => {
    begun.push(item);
    throw new Error(`item ${item}`);
  });
  await expect(work).rejects.toThrow('item 1');
  expect(begun).toEqual([1]);
});

describe('allOrAborted', () => {
  const never = (signal: AbortSignal) => sleep(60_000, signal);

  test('gives every result', async () => {
    const { signal } = new AbortController();
    expect(await allOrAborted(signal, () => [Promise.resolve(1), Promise.resolve('a')])).toEqual([1, 'a']);
  });

  test('lets the first failure end the others, and throws it', async () => {
    const { signal } = new AbortController();
    const lost = allOrAborted(signal, (own) => [never(own), Promise.reject(new Error('lost'))]);
    await expect(lost).rejects.toThrow('lost');
    expect(signal.aborted).toBe(false);
  });

  test('ends when the caller is aborted', async () => {
    const outer = new AbortController();
    const ended = allOrAborted(outer.signal, (own) => [never(own)]);
    outer.abort(new Error('stop'));
    await expect(ended).rejects.toThrow('stop');
  });
});

test('allEnded gives every result, and throws only when the last one has ended', async () => {
  expect(await allEnded([Promise.resolve(1), Promise.resolve('a')])).toEqual([1, 'a']);
  let hasEnded = false;
  const slow = sleep(20).then(() => {
    hasEnded = true;
  });
  await expect(allEnded([Promise.reject(new Error('lost')), slow])).rejects.toThrow('lost');
  expect(hasEnded).toBe(true);
});
