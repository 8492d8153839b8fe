import { expect } from 'vitest';
import { verifyText } from '../../src/observers/verify-text.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('a verification tells how the schemas compare, and which columns nobody compares', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);
    CREATE VIEW v AS SELECT a, (SELECT max(a) FROM t) FROM t; INSERT INTO t VALUES (1, 1)`);
  await withScene({ source, target }, async (scene) => {
    let early: Promise<void> | undefined;
    await scene.run((migration) => migration.sync(), {
      onEvent: ({ type }) => {
        if (type === 'copy-finished') early ??= target.exec('CREATE INDEX tuned ON t (a)');
      },
    });
    await early;
    const found = await scene.verify();
    expect(found.summary).toMatchObject({
      equal: true,
      schema: {
        differences: [{ class: 'indexes', object: expect.stringContaining('tuned'), change: 'added' }],
        generatedColumns: ['public.t.g'],
      },
    });
    const text = verifyText(found, 'source', { color: false, ascii: true });
    expect(text).toMatch(/^schema .*1 difference .*\n.*tuned.* is on the target alone/);
    expect(text).toMatch(/not compared: .*\n.*public\.t\.g/);
    expect(text).toContain('The rows of both sides are equal.');
    await source.exec('CREATE INDEX tuned ON t (a)');
    const agreed = await scene.verify();
    expect(agreed.summary.schema?.differences).toEqual([]);
    expect(verifyText(agreed, 'source', { color: false, ascii: true })).toMatch(
      /^schema .*the same on both sides/,
    );
    await scene.abort();
  });
});

test('a table that joins makes a verification of before worth nothing', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  await withScene({ source, target }, async (scene) => {
    scene.settings = { ...scene.settings, cutover: { ...scene.settings.cutover, requireVerified: true } };
    await scene.sync();
    await scene.verify();
    await source.exec('CREATE TABLE late (id int PRIMARY KEY)');
    await scene.sync();
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'not_verified',
    });
    expect((await scene.status()).verified).toBeUndefined();
    await scene.verify();
    await scene.cutover();
    await scene.rollback();
    await scene.abort();
  });
});
