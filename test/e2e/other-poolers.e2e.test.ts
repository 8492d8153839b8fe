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
    world = await World.create({ rate: 50, pooler });
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

  test('killed before the commit point: requests go on where they were', async () => {
    const killed = await world.run(['cutover'], IN_THE_PAUSE['raise-barrier']);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
    // The next command undoes what was begun, and switches.
    await switched('cutover');
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  });

  test('killed behind the announced one: requests go on where the row says, with no further command', async () => {
    const fenced = await world.run(['rollback'], IN_THE_PAUSE['fence-old-side']);
    expect(fenced.signal, fenced.stderr).toBe('SIGKILL');
    await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
    const committed = await world.run(['rollback'], IN_THE_PAUSE['commit-switch']);
    expect(committed.signal, committed.stderr).toBe('SIGKILL');
    await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
    await switched('rollback');
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
  });

  test('frozen: requests go on where the row says, and the run that wakes up changes nothing', async () => {
    const before = world.start(['cutover'], { ...IN_THE_PAUSE['raise-barrier'], signal: 'SIGSTOP' });
    await before.hasStopped();
    await world.requestsSucceed();
    before.goOn();
    expect((await before.ended).exitCode).not.toBe(0);
    await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
    const behind = world.start(['cutover'], { ...IN_THE_PAUSE['commit-switch'], signal: 'SIGSTOP' });
    await behind.hasStopped();
    await world.requestsSucceed();
    expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
    behind.goOn();
    await behind.ended;
    await switched('cutover');
    await switched('rollback');
    expect(await world.failures()).toEqual([]);
    expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
  });

  test('nothing acknowledged was lost or doubled', async () => {
    expect(await world.isEqual()).toBe(true);
    await expectCleanAudit(world, 'source');
  });
});
