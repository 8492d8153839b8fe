/** What every kill of the tool in a switch is followed by, and how it is judged in the end. */

import { expect } from 'vitest';
import type { Side } from '../../src/domain/names.ts';
import type { KillAt } from './tool.ts';
import type { World } from './world.ts';

type Way = readonly [direction: 'cutover' | 'rollback', from: Side, to: Side];

export const DIRECTIONS: readonly Way[] = [
  ['cutover', 'source', 'target'],
  ['rollback', 'target', 'source'],
];

/** Killed there: never two sides are open, traffic goes on by itself, and no request fails. Resolves to where it goes on. */
export async function kill(world: World, killAt: KillAt, [direction, from, to]: Way): Promise<Side> {
  const failedBefore = (await world.failures()).length;
  const killed = await world.run([direction], killAt);
  expect(killed.signal, killed.stderr).toBe('SIGKILL');

  const atOnce = await world.doors();
  expect(Object.values(atOnce).filter((door) => door === 'open').length, JSON.stringify(atOnce)).toBeLessThan(
    2,
  );
  const active = await world.trafficGoesOn();
  const later = await world.doors();
  expect(later).toEqual({
    [from]: active === from ? 'open' : 'fenced',
    [to]: active === to ? 'open' : 'fenced',
  });
  await world.requestsSucceed();
  expect((await world.failures()).slice(failedBefore)).toEqual([]);
  return active;
}

/** The same command ends the switch, and no request fails. */
export async function switchAgain(world: World, [direction, from, to]: Way): Promise<void> {
  const failedBefore = (await world.failures()).length;
  const { summary } = JSON.parse(await world.succeed([direction]));
  expect(summary).toMatchObject({ direction, from, to });
  expect(await world.trafficGoesOn()).toBe(to);
  await world.requestsSucceed();
  expect((await world.failures()).slice(failedBefore)).toEqual([]);
}

export async function killAndSwitch(world: World, killAt: KillAt, way: Way): Promise<void> {
  await kill(world, killAt, way);
  await switchAgain(world, way);
}

/** From the source once more to the target: every row is the same on both sides, and the audit finds nothing. */
export async function cutOverAndJudge(world: World): Promise<void> {
  const { verification } = JSON.parse(await world.succeed(['cutover'])) as {
    verification: { equal: boolean };
  };
  expect(verification.equal).toBe(true);
  await expectCleanAudit(world, 'target');
}

/** Each acknowledged write is there exactly once, of more than a hundred. */
export async function expectCleanAudit(world: World, side: Side): Promise<void> {
  const audit = await world.audit(side);
  expect(audit).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0, unknown: 0 });
  expect(audit.acknowledged).toBeGreaterThan(100);
}
