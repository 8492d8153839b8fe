/** The tool is killed after every step of a cutover and of a rollback, under load; then the same command again. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED } from '../../src/migration/switchover.ts';
import { IN_THE_PAUSE, told } from './kill-points.ts';
import { cutOverAndJudge, DIRECTIONS, kill, killAndSwitch, switchAgain } from './killed-switch.ts';
import type { KillAt } from './tool.ts';
import { World } from './world.ts';

const { 'drain-replication': _, ...turning } = IN_THE_PAUSE;
/** Around the points where something changes for good. */
const TURNING_POINTS: Readonly<Record<string, KillAt>> = {
  ...turning,
  'resume-traffic': told('resume-traffic'),
  'start-return-link': told('start-return-link'),
};
/** PGGLIDE_E2E=all takes every step outside the pause, too. */
const points = (steps: readonly { readonly id: string }[]): [string, KillAt][] =>
  steps.flatMap(({ id }): [string, KillAt][] => {
    const at = TURNING_POINTS[id] ?? (process.env.PGGLIDE_E2E === 'all' ? told(id) : undefined);
    return at === undefined ? [] : [[id, at]];
  });
const IN_PAUSE = PAUSED.flat().filter(({ id }) => id in TURNING_POINTS);
const BEFORE_COMMIT = [
  ...points(BEFORE_PAUSE),
  ...points(IN_PAUSE.filter(({ id }) => id !== 'commit-switch')),
];
const BEHIND_COMMIT = [
  ...points(IN_PAUSE.filter(({ id }) => id === 'commit-switch')),
  ...points(AFTER_COMMIT),
];

let world: World;

beforeAll(async () => {
  world = await World.create({ rate: 50 });
  await world.startProxy();
  await world.succeed(['sync']);
  await world.startLoad();
}, 180_000);

afterAll(async () => world[Symbol.asyncDispose]());

test('the steps are those there are', () => {
  const steps = [...BEFORE_PAUSE, ...PAUSED.flat(), ...AFTER_COMMIT].map((step) => step.id);
  expect(steps).toEqual(expect.arrayContaining(Object.keys(TURNING_POINTS)));
  const chosen = [...BEFORE_COMMIT, ...BEHIND_COMMIT].map(([id]) => id);
  expect(chosen).toEqual(expect.arrayContaining(Object.keys(TURNING_POINTS)));
});

describe.each(DIRECTIONS)('a %s killed again and again', (...way) => {
  // Each run undoes what the one before it left, and gets further.
  test.each(BEFORE_COMMIT)('after "%s": traffic goes on where it was', async (_, killAt) => {
    expect(await kill(world, killAt, way)).toBe(way[1]);
  });

  test('the same command ends it', () => switchAgain(world, way));
});

describe.each(BEHIND_COMMIT)('killed after "%s"', (_, killAt) => {
  test.each(DIRECTIONS)('of a %s: the same command ends it', (...way) => killAndSwitch(world, killAt, way));
});

test('nothing acknowledged was lost or doubled, and both sides are equal', () => cutOverAndJudge(world));
