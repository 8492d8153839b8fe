import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type PauseDeeds, PauseWatch } from './pause-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched(answers: Partial<PauseDeeds> = {}) {
  const deeds = {
    goOnInPlace: vi.fn(answers.goOnInPlace ?? (async () => true)),
    goOnAsRowSays: vi.fn(answers.goOnAsRowSays ?? (async () => true)),
  };
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { watch: new PauseWatch(deeds, wait), ...deeds };
}

describe('an owner that lives', () => {
  test('keeps its pause for as long as it says so', async () => {
    const { watch, goOnInPlace } = watched();
    for (let times = 0; times < 5; times++) {
      await watch.lease(1000);
      await vi.advanceTimersByTimeAsync(900);
    }
    expect(goOnInPlace).not.toHaveBeenCalled();
  });

  test('ends it by itself, and nobody else does then', async () => {
    const { watch, goOnInPlace, goOnAsRowSays } = watched();
    await watch.lease(1000);
    await watch.committing();
    watch.dismiss();
    await vi.advanceTimersByTimeAsync(60_000);
    await watch.ownerGone();
    expect(goOnInPlace).not.toHaveBeenCalled();
    expect(goOnAsRowSays).not.toHaveBeenCalled();
  });

  test('cannot announce a commit point where nothing is paused', async () => {
    const { watch } = watched();
    await expect(watch.committing()).rejects.toThrow('Nothing is paused');
  });
});

describe('an owner that stands still', () => {
  test('finds its pause over, and cannot commit any more', async () => {
    const { watch, goOnInPlace, goOnAsRowSays } = watched();
    await watch.lease(1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(goOnInPlace).toHaveBeenCalledTimes(1);
    await expect(watch.lease(1000)).rejects.toThrow('The lease has ended');
    await expect(watch.committing()).rejects.toThrow('Nothing is paused');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(goOnInPlace).toHaveBeenCalledTimes(1);
    expect(goOnAsRowSays).not.toHaveBeenCalled();
  });

  test('finds its pause over where the timer is a little ahead of the clock', async () => {
    // The clock is the real one, and stands nearly still meanwhile.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { watch, goOnInPlace } = watched();
    await watch.lease(60_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(goOnInPlace).toHaveBeenCalledTimes(1);
  });

  test('behind the announced commit point comes back for as long as nobody knows who is active', async () => {
    const { watch, goOnInPlace, goOnAsRowSays } = watched({ goOnAsRowSays: async () => false });
    await watch.lease(1000);
    await watch.committing();
    await vi.advanceTimersByTimeAsync(1400);
    expect(goOnAsRowSays.mock.calls.map(([silentMs]) => silentMs)).toEqual([0, 250]);
    await watch.lease(1000);
    await vi.advanceTimersByTimeAsync(990);
    expect(goOnAsRowSays).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(300);
    expect(goOnAsRowSays.mock.calls.length).toBeGreaterThan(2);
    expect(goOnInPlace).not.toHaveBeenCalled();
  });

  test('waits for what is being done, and is told', async () => {
    let done = (_: boolean) => {};
    const { watch } = watched({ goOnInPlace: () => new Promise((resolve) => (done = resolve)) });
    await watch.lease(1000);
    await vi.advanceTimersByTimeAsync(1000);
    const renewed = watch.lease(1000);
    done(true);
    await expect(renewed).rejects.toThrow('The lease has ended');
  });
});

describe('an owner that is gone', () => {
  test('is followed at once', async () => {
    const { watch, goOnInPlace } = watched();
    await watch.lease(60_000);
    await watch.ownerGone();
    expect(goOnInPlace).toHaveBeenCalledTimes(1);
  });

  test('behind the commit point, by what the row says as soon as it can be read', async () => {
    let tries = 0;
    const { watch, goOnInPlace, goOnAsRowSays } = watched({
      goOnAsRowSays: async () => {
        tries += 1;
        if (tries === 1) throw new Error('the target restarts');
        return tries === 3;
      },
    });
    await watch.lease(60_000);
    await watch.committing();
    const gone = watch.ownerGone();
    await vi.advanceTimersByTimeAsync(1000);
    await gone;
    // Its sessions end with it, or do not where the network broke first.
    expect(goOnAsRowSays.mock.calls).toEqual([[0], [250], [525]]);
    expect(goOnInPlace).not.toHaveBeenCalled();
  });

  test('is not waited for without end', async () => {
    const { watch } = watched({ goOnInPlace: async () => false });
    await watch.lease(1000);
    const gone = watch.ownerGone();
    await vi.advanceTimersByTimeAsync(1_200_000);
    await gone;
  });
});
