/** Three lanes under load: the tool is killed in the copy and at the turning points of a switch. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IN_THE_PAUSE, told } from './kill-points.ts';
import type { KillAt } from './tool.ts';
import { LARGE_TABLES, World } from './world.ts';

let world: World;

beforeAll(async () => {
  // The shop's transactions write several tables, which foreign keys connect.
  world = await World.create({
    rate: 50,
    config: ['replication: { lanes: 3, divide: tables }', 'copy: { jobs: 2, rateLimit: 6MB/s }'],
    prepare: LARGE_TABLES,
  });
  await world.startProxy();
  await world.startLoad();
}, 180_000);

afterAll(async () => world?.[Symbol.asyncDispose]());

test('killed in the copy and behind it, the same command goes on', async () => {
  const run = world.start(['sync']);
  await run.copiesHalf();
  await run.kill();
  expect((await world.run(['sync'], { type: 'copy-finished' })).signal).toBe('SIGKILL');
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
  const { link } = JSON.parse(await world.succeed(['status'])) as { link: { lanes: unknown[] } };
  expect(link.lanes.length).toBeGreaterThanOrEqual(3);
});

/** Where what is done is done once a lane. The other moments are those of one lane: switchover-kill.e2e.test.ts. */
const POINTS: readonly [string, KillAt][] = [
  ['prepare-return-link', told('prepare-return-link')],
  ['arm-return-link', IN_THE_PAUSE['arm-return-link']],
];

describe.each(POINTS)('killed after "%s"', (_, killAt) => {
  test.each(['cutover', 'rollback'])('of a %s: the same command ends it', async (direction) => {
    const killed = await world.run([direction], killAt);
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    await world.trafficGoesOn();
    await world.requestsSucceed();
    const { summary } = JSON.parse(await world.succeed([direction]));
    expect(summary).toMatchObject({ direction });
    await world.requestsSucceed();
    expect(await world.failures()).toEqual([]);
  });
});

test('nothing acknowledged was lost or doubled, and both sides are equal', async () => {
  const { verification } = JSON.parse(await world.succeed(['cutover'])) as {
    verification: { equal: boolean };
  };
  expect(verification.equal).toBe(true);
  const audit = await world.audit('target');
  expect(audit).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0, unknown: 0 });
  expect(audit.acknowledged).toBeGreaterThan(100);
});
