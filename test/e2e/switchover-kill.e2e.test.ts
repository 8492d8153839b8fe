/** The tool is killed after every step of a cutover and of a rollback, under load; then the same command again. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED } from '../../src/migration/switchover.ts';
import { World } from './world.ts';

const ALL = [...BEFORE_PAUSE, ...PAUSED.flat(), ...AFTER_COMMIT].map((step) => step.id);
/** Around the points where something changes for good; PGGLIDE_E2E=all takes every step. */
const TURNING_POINTS = [
  'pause-traffic',
  'open-new-side',
  'arm-return-link',
  'fence-old-side',
  'commit-switch',
  'lift-fence',
  'resume-traffic',
  'start-return-link',
];
const STEPS = process.env.PGGLIDE_E2E === 'all' ? ALL : TURNING_POINTS;

let world: World;

beforeAll(async () => {
  world = await World.create({ rate: 100 });
  await world.startProxy();
  await world.succeed(['sync']);
  await world.startLoad();
}, 180_000);

afterAll(async () => world[Symbol.asyncDispose]());

const DIRECTIONS = [
  ['cutover', 'source', 'target'],
  ['rollback', 'target', 'source'],
] as const;

test('the steps are those there are', () => {
  expect(ALL).toEqual(expect.arrayContaining(TURNING_POINTS));
});

describe.each(STEPS)('killed after "%s"', (step) => {
  test.each(DIRECTIONS)('of a %s', async (direction, from, to) => {
    const failedBefore = (await world.failures()).length;
    const killed = await world.run([direction], { type: 'switchover-step', step });
    expect(killed.signal, killed.stderr).toBe('SIGKILL');

    const atOnce = await world.doors();
    expect(
      Object.values(atOnce).filter((door) => door === 'open').length,
      JSON.stringify(atOnce),
    ).toBeLessThan(2);
    const active = await world.trafficGoesOn();
    const later = await world.doors();
    expect(later).toEqual({
      [from]: active === from ? 'open' : 'fenced',
      [to]: active === to ? 'open' : 'fenced',
    });
    await world.requestsSucceed();

    const { summary } = JSON.parse(await world.succeed([direction]));
    expect(summary).toMatchObject({ direction, from, to });
    expect(await world.trafficGoesOn()).toBe(to);
    await world.requestsSucceed();
    expect((await world.failures()).slice(failedBefore)).toEqual([]);
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
