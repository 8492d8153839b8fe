/** Cutover and rollback with what is not our proxy, under load: PgBouncer by its driver, and by a program of the user's. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SwitchoverSummary } from '../../src/domain/event.ts';
import { hasPgBouncer } from '../support/pgbouncer.ts';
import { IN_THE_PAUSE } from './kill-points.ts';
import { expectCleanAudit } from './killed-switch.ts';
import { World } from './world.ts';

describe.skipIf(!hasPgBouncer).each(['pgbouncer', 'hook'] as const)('driver %s', (pooler) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create({ rate: 100, pooler });
    await world.startPgBouncer();
    await world.succeed(['sync']);
    await world.startLoad();
  }, 180_000);

  afterAll(async () => world?.[Symbol.asyncDispose]());

  async function switched(direction: 'cutover' | 'rollback'): Promise<SwitchoverSummary> {
    const { summary } = JSON.parse(await world.succeed([direction])) as { summary: SwitchoverSummary };
    await world.requestsSucceed();
    return summary;
  }

  test('there and back: requests wait, none fails', async () => {
    for (const direction of ['cutover', 'rollback'] as const) {
      const { pauseMs, waits } = await switched(direction);
      expect(pauseMs).toBeGreaterThan(0);
      expect(waits.failedRequests).toBe(0);
    }
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
  });

  test('killed before the commit point: a hook that keeps its lease lets requests go on, PgBouncer waits', async () => {
    const killed = await world.run(['cutover'], IN_THE_PAUSE['raise-barrier']);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    if (pooler === 'hook') await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
    // The next command undoes what was begun, and switches.
    await switched('cutover');
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  });

  test('killed behind the commit point: nobody writes on the wrong side, the next command finishes', async () => {
    const killed = await world.run(['rollback'], IN_THE_PAUSE['commit-switch']);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    expect((await world.doors()).target).toBe('fenced');
    await switched('rollback');
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
  });

  test('nothing acknowledged was lost or doubled', async () => {
    expect(await world.isEqual()).toBe(true);
    await expectCleanAudit(world, 'source');
  });
});
