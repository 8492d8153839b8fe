import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import type { SwitchoverContext } from '../engine/switchover-step.ts';
import { Connection } from '../postgres/connection.ts';
import { warmCache } from './warm-cache.ts';

test('a role that may not look into the cache gets a warning, and the switch goes on', async ({
  source,
  target,
}) => {
  const user = `${source.name}_reader`;
  await source.exec(`CREATE EXTENSION pg_buffercache; CREATE ROLE ${user} LOGIN PASSWORD 'r'`);
  const warnings: unknown[] = [];
  try {
    await using oldSide = await Connection.open(
      { ...source.address, user, password: 'r' },
      { purpose: 'test' },
    );
    const context = {
      settings: { cutover: { prewarm: true } },
      from: 'source',
      to: 'target',
      oldSide,
      newSide: target.connection,
      events: { emit: async (_: string, warning: unknown) => void warnings.push(warning) },
    };
    expect(await warmCache.run(context as unknown as SwitchoverContext)).toBe('not possible');
  } finally {
    await source.exec(`DROP ROLE ${user}`);
  }
  expect(warnings).toMatchObject([
    {
      code: 'not_prewarmed',
      message: expect.stringContaining('permission denied'),
      hint: expect.stringContaining('pg_monitor'),
    },
  ]);
});
