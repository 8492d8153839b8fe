/** The comparison after a switch ends early: traffic has moved all the same, and that is what the command says. */

import { expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const cutShort = { summary: { direction: 'cutover', to: 'target' }, verification: undefined };

async function play(ends: { source: Database; target: Database }, work: (scene: Scene) => Promise<void>) {
  await ends.source.exec('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)');
  await withScene(ends, async (scene) => {
    await scene.sync();
    await scene.verify();
    await work(scene);
    await scene.rollback();
    await scene.abort();
  });
}

/** Runs `act` once traffic has moved, and the comparison is yet to come. */
const onceSwitched = (act: () => void) => ({
  onEvent: ({ type }: MigrationEvent) => {
    if (type === 'switchover-finished') act();
  },
});

test('told to stop: done, and not verified; the same command again has nothing to do', async ({
  source,
  target,
}) => {
  await play({ source, target }, async (scene) => {
    const stop = new AbortController();
    const switched = await scene.run((migration) => migration.cutover(), {
      signal: stop.signal,
      ...onceSwitched(() => stop.abort(new Error('told to stop'))),
    });
    expect(switched).toMatchObject({
      ...cutShort,
      note: expect.stringMatching(/not finished: told to stop.*pgglide verify/),
    });
    expect(await scene.status()).toMatchObject({ phase: 'switched', verified: undefined });

    const again = await scene.cutover();
    expect(again).toMatchObject({
      ...cutShort,
      note: expect.stringMatching(/Nothing was done.*pgglide verify/),
    });
    expect(again.summary).toEqual(switched.summary);
    await scene.expectEqual();
    expect(await scene.status()).toMatchObject({ verified: { equal: true } });
  });
});

test('the sessions of its snapshots end: done all the same', async ({ source, target }) => {
  await play({ source, target }, async (scene) => {
    const { settings } = scene;
    // Longer than their end takes: it is the comparison that must find them gone.
    scene.settings = { ...settings, verify: { ...settings.verify, settleMs: 2_000 } };
    let ended: Promise<unknown> = Promise.resolve();
    const end = () => {
      ended = target.exec(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'pgglide: snapshot'`,
      );
    };
    const switched = await scene.run((migration) => migration.cutover(), onceSwitched(end));
    await ended;
    expect(switched).toMatchObject({ ...cutShort, note: expect.stringContaining('pgglide verify') });
  });
});
