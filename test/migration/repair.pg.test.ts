import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('rows that somebody changed on the target are repaired on confirmation, and everything is verified again', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE "T a" (id int PRIMARY KEY, n int); CREATE TABLE other (id int PRIMARY KEY);
    INSERT INTO "T a" SELECT g, g FROM generate_series(1, 100) g; INSERT INTO other VALUES (1)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await target.exec(`BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL pgglide.passes_fence = on; UPDATE "T a" SET n = -1 WHERE id <= 30;
      DELETE FROM "T a" WHERE id = 50; INSERT INTO "T a" VALUES (1000, 0); COMMIT`);
    await expect(scene.run((migration) => migration.repair('public.none'))).rejects.toMatchObject({
      code: 'table_not_in_plan',
      exitCode: 2,
    });
    const refuse = () => Promise.reject(new Error('not confirmed'));
    await expect(scene.run((migration) => migration.repair('public.T a', refuse))).rejects.toThrow(
      'not confirmed',
    );
    expect(await target.rows('SELECT count(*) FROM "T a" WHERE n = -1')).toEqual([{ count: 30 }]);

    let asked: unknown;
    const outcome = await scene.run((migration) =>
      migration.repair('public.T a', async ({ rows, side }) => {
        asked = { rows: rows.length, side };
      }),
    );
    expect(asked).toEqual({ rows: 32, side: 'target' });
    expect(outcome.repaired).toBe(32);
    expect(outcome.verification.summary).toMatchObject({ equal: true, tables: { length: 2 } });
    expect((await scene.status()).verified).toMatchObject({ equal: true });
    expect(await scene.run((migration) => migration.repair('public.other'))).toMatchObject({ repaired: 0 });
    await scene.abort();
  });
});

test('after the cutover it is the source that is repaired, and the way back stays until it is', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1)');
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    await source.exec(
      'BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL pgglide.passes_fence = on; DELETE FROM t; COMMIT',
    );
    expect((await scene.verify()).summary.equal).toBe(false);
    expect((await scene.status()).next).toMatch('pgglide verify, which shows what differs');
    await expect(scene.run((migration) => migration.complete({ dropFence: true }))).rejects.toMatchObject({
      code: 'not_verified',
      exitCode: 7,
    });
    expect((await scene.status()).phase).toBe('switched');
    const { repaired, verification } = await scene.run((migration) => migration.repair('public.t'));
    expect([repaired, verification.summary.equal]).toEqual([1, true]);
    expect(await source.rows('SELECT * FROM t')).toEqual([{ id: 1, n: 1 }]);
    await scene.run((migration) => migration.complete({ dropFence: true }));
  });
});
