import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { collectGarbage } from './garbage.ts';

test('what nobody holds is gone after it', async () => {
  const held = { name: 'held' };
  const [reachable, unreachable] = [new WeakRef(held), new WeakRef({ name: 'lost' })];
  await nextTurn();
  collectGarbage();
  expect(unreachable.deref()).toBeUndefined();
  expect(reachable.deref()).toBe(held);
});
