/** The tool is killed after every step of a cutover and of a rollback, under load; then the same command again. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED } from '../../src/migration/switchover.ts';
import { IN_THE_PAUSE, told } from './kill-points.ts';
import { cutOverAndJudge, DIRECTIONS, killAndSwitch } from './killed-switch.ts';
import type { KillAt } from './tool.ts';
import { World } from './world.ts';

const { 'drain-replication': _, ...turning } = IN_THE_PAUSE;
/** Around the points where something changes for good. */
const TURNING_POINTS: Readonly<Record<string, KillAt>> = {
  ...turning,
  'resume-traffic': told('resume-traffic'),
  'start-return-link': told('start-return-link'),
};
const OTHERS = [...BEFORE_PAUSE, ...AFTER_COMMIT]
  .map((step) => step.id)
  .filter((id) => !(id in TURNING_POINTS));
/** PGGLIDE_E2E=all takes every step outside the pause, too. */
const POINTS = [
  ...Object.entries(TURNING_POINTS),
  ...(process.env.PGGLIDE_E2E === 'all' ? OTHERS.map((id): [string, KillAt] => [id, told(id)]) : []),
];

let world: World;

beforeAll(async () => {
  world = await World.create({ rate: 100 });
  await world.startProxy();
  await world.succeed(['sync']);
  await world.startLoad();
}, 180_000);

afterAll(async () => world[Symbol.asyncDispose]());

test('the steps are those there are', () => {
  const steps = [...BEFORE_PAUSE, ...PAUSED.flat(), ...AFTER_COMMIT].map((step) => step.id);
  expect(steps).toEqual(expect.arrayContaining(Object.keys(TURNING_POINTS)));
});

describe.each(POINTS)('killed after "%s"', (_, killAt) => {
  test.each(DIRECTIONS)('of a %s', (...way) => killAndSwitch(world, killAt, way));
});

test('nothing acknowledged was lost or doubled, and both sides are equal', () => cutOverAndJudge(world));
