/** Three lanes under load: the tool is killed in the copy and at the turning points of a switch. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIDES } from '../../src/domain/names.ts';
import { IN_THE_PAUSE, told } from './kill-points.ts';
import { cutOverAndJudge, DIRECTIONS, killAndSwitch } from './killed-switch.ts';
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
  test.each(DIRECTIONS)('of a %s: the same command ends it', (...way) => killAndSwitch(world, killAt, way));
});

test('nothing acknowledged was lost or doubled, and both sides are equal', () => cutOverAndJudge(world));

const OURS = `SELECT slot_name AS name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication
  UNION ALL SELECT subname FROM pg_subscription UNION ALL SELECT relname FROM pg_class WHERE relname ~ '^marker_'
  UNION ALL SELECT roname FROM pg_replication_origin`;

/** Each of them is said once a lane. */
const ENDS = ['DROP SUBSCRIPTION', 'pg_drop_replication_slot', 'DROP PUBLICATION', 'DROP TABLE IF EXISTS'];

test('complete, killed in one lane and between two, is ended by the same command', async () => {
  for (const statement of ENDS) {
    const killed = await world.run(['complete', '--yes'], { statement });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
  }
  await world.succeed(['complete', '--yes']);
  for (const side of SIDES) expect(await world.query(side, OURS)).toEqual([]);
});
