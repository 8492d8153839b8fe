import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SwitchoverContext } from '../engine/switchover-step.ts';
import { commitSwitch } from './commit-switch.ts';

beforeEach(() => {
  // The clock is the real one, and stands nearly still meanwhile.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a target that says nothing is asked once, also where the timer is a little ahead of the clock', async () => {
  const never = new Promise<never>(() => undefined);
  const open = vi.fn(() => never);
  const target = { execute: () => never, destroy: () => undefined };
  const context = { target, open, migration: 'shop', to: 'target', epoch: 1, facts: {} };
  const committed = commitSwitch.run(context as unknown as SwitchoverContext);
  const unknown = expect(committed).rejects.toMatchObject({ code: 'commit_unknown' });
  await vi.advanceTimersByTimeAsync(15_000);
  await unknown;
  expect(open).toHaveBeenCalledTimes(1);
});
