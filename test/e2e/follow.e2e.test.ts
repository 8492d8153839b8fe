/** `sync --follow`: stays with the migration, and starts a link again that has stopped. */

import { expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { World } from './world.ts';

const PATIENCE_MS = 60_000;

test('a link that stopped runs again, a cutover is not in its way, and it ends with the migration', async () => {
  await using world = await World.create({ rows: 1000 });
  await world.startProxy();
  const following = world.start(['sync', '--follow']);
  await following.says('e2e: following');
  const [link] = await world.query<{ name: string }>('target', 'SELECT subname AS name FROM pg_subscription');
  await world.query('target', `ALTER SUBSCRIPTION "${link?.name}" DISABLE`);
  const isEnabled = async () => {
    const [row] = await world.query<{ on: boolean }>(
      'target',
      'SELECT subenabled AS on FROM pg_subscription',
    );
    return row?.on ? true : undefined;
  };
  await until('the link', isEnabled, { timeoutMs: PATIENCE_MS, intervalMs: 100 });

  await world.succeed(['cutover']);
  await following.says('e2e: switched');
  const stopped = await following.kill('SIGTERM');
  expect(stopped.exitCode).toBe(10);

  // As a new pod begins: the target is the active side already.
  const again = world.start(['sync', '--follow']);
  await again.says('e2e: switched');
  await world.succeed(['complete', '--yes']);
  expect((await again.ended).exitCode).toBe(0);
});
