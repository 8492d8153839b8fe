/** A dry run changes nothing and ends as the real command would. */

import { expect } from 'vitest';
import { UnreachableError } from '../../src/domain/errors.ts';
import { bound, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('what the guards of the switch would refuse, with its code', async ({ source, target }) => {
  await source.exec('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)');
  await withScene({ source, target }, async (scene) => {
    const dryRun = (unverified = false) =>
      scene.run((migration) => migration.cutover({ dryRun: true, unverified }));
    const wayBack = () => scene.run((migration) => migration.rollback({ dryRun: true }));
    await expect(dryRun()).rejects.toMatchObject({ code: 'wrong_phase' });
    await scene.sync();
    const { cutover } = scene.settings;
    scene.settings = { ...scene.settings, cutover: { ...cutover, requireVerified: true } };
    expect(await dryRun()).toMatchObject({ refusal: { code: 'not_verified', exitCode: 7 } });
    expect((await dryRun(true)).refusal).toBeUndefined();
    await scene.verify();
    const clear = await dryRun();
    expect(clear.refusal).toBeUndefined();
    expect(clear.sections.map(({ title }) => title)).toContain('cutover: before the pause');
    await expect(wayBack()).rejects.toMatchObject({ code: 'wrong_phase' });

    await source.exec('ALTER TABLE item ADD note text');
    expect(await dryRun()).toMatchObject({ refusal: { code: 'schema_drift', exitCode: 6 } });
    await source.exec('ALTER TABLE item DROP note');
    await source.exec("BEGIN; INSERT INTO item VALUES (2); PREPARE TRANSACTION 'theirs'");
    expect(await dryRun()).toMatchObject({ refusal: { code: 'not_ready', exitCode: 6 } });
    await source.exec("ROLLBACK PREPARED 'theirs'");
    await scene.cutover();

    const done = await dryRun();
    expect(done.sections).toMatchObject([{ title: expect.stringContaining('Nothing was done') }]);
    expect((await wayBack()).refusal).toBeUndefined();
    expect(await scene.status()).toMatchObject({ phase: 'switched' });
    await scene.rollback();
    await scene.abort();
  });
});

test('a proxy that does not answer, with the plan all the same', async ({ source, target }) => {
  await source.exec('CREATE TABLE item (id int PRIMARY KEY)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const unreachable = { code: 'proxy_unreachable', exitCode: 4 };
    const run = scene.run((migration) => migration.cutover({ dryRun: true }), {
      traffic: (real) => ({
        ...bound(real),
        observe: () => Promise.reject(new UnreachableError('proxy_unreachable', 'away')),
      }),
    });
    expect(await run).toMatchObject({ refusal: unreachable });
    await scene.abort();
  });
});
