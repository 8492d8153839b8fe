/** A name that was mistyped: nothing is said of where traffic is, and nothing of the other migration is offered for removal. */

import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('a migration of another name is named, and left alone', async ({ source, target }) => {
  await source.exec('CREATE TABLE item (id int PRIMARY KEY)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const { settings } = scene;
    const others = [`${settings.migration} (following)`];
    scene.settings = { ...settings, migration: 'mistyped' };
    expect(await scene.status()).toMatchObject({
      others,
      problems: [`no migration "mistyped" here; these servers hold: ${others[0]}`],
    });
    expect(await scene.abort()).toEqual({ leftovers: [], others });
    scene.settings = settings;
    expect((await scene.status()).others).toBeUndefined();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});
