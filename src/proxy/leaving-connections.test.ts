import { expect, test } from 'vitest';
import { LeavingConnections } from './leaving-connections.ts';

test('a server that stands still is waited for once, and told goodbye by all', async () => {
  const leaving = new LeavingConnections();
  const told = new Set<number>();
  const count = 100;
  for (let n = 0; n < count; n++)
    leaving.add({ close: () => void told.add(n), untilClosed: () => new Promise(() => undefined) });
  await leaving.closeNow();
  expect(told.size).toBe(count);
});
