import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

async function onBoth(sides: readonly Database[], statement: string): Promise<void> {
  for (const side of sides) await side.exec(statement);
}

describe('the same DDL on both sides, then verify: the migration knows what there is', () => {
  test('sequences that came are carried, those that went are not asked for', async ({ source, target }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE gone; CREATE SEQUENCE old_name');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await onBoth(
        [target, source],
        `ALTER TABLE t ADD n int GENERATED ALWAYS AS IDENTITY; CREATE SEQUENCE come;
         DROP SEQUENCE gone; ALTER SEQUENCE old_name RENAME TO new_name`,
      );
      await source.exec(
        `INSERT INTO t (id) SELECT generate_series(1, 5); SELECT setval('come', 70), setval('new_name', 9)`,
      );
      await scene.verify();
      expect((await scene.cutover()).summary.sequences).toBe(3);
      const next = `SELECT nextval('t_n_seq')::int AS t, nextval('come')::int AS come, nextval('new_name')::int AS renamed`;
      expect(await target.rows(next)).toEqual([{ t: 6, come: 71, renamed: 10 }]);
      await scene.rollback();
      await scene.abort();
    });
  });

  test('columns that came are compared, online and exactly, and kept by a repair; those that went are not missed', async ({
    source,
    target,
  }) => {
    await source.exec(
      'CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t SELECT g, g, g FROM generate_series(1, 3) g',
    );
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await onBoth([target, source], 'ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid(), DROP b');
      const online = await scene.verify();
      expect(online.summary.equal).toBe(false);
      expect(online.differingRows.map(({ columns }) => columns.map(({ name }) => name))).toEqual([
        ['u'],
        ['u'],
        ['u'],
      ]);
      const { verification } = await scene.cutover();
      expect(verification?.equal).toBe(false);
      await scene.rollback();
      const repaired = await scene.run((migration) => migration.repair('public.t'));
      expect(repaired).toMatchObject({ repaired: 3, verification: { summary: { equal: true } } });
      const rows = 'SELECT * FROM t ORDER BY id';
      expect(await target.rows(rows)).toEqual(await source.rows(rows));
      await scene.abort();
    });
  });

  test('a repair looks first whether the sides have the same columns', async ({ source, target }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await target.exec(
        `ALTER TABLE t ADD own text DEFAULT 'x'; SET session_replication_role = replica; SET pgglide.passes_fence = on; UPDATE t SET id = 2, own = 'mine'`,
      );
      await expect(scene.run((migration) => migration.repair('public.t'))).rejects.toMatchObject({
        code: 'schema_differs',
      });
      expect(await target.rows('SELECT * FROM t')).toEqual([{ id: 2, own: 'mine' }]);
      await scene.abort();
    });
  });
});

describe('a table that is renamed or moved', () => {
  test('on both sides is still ours for an abort; one that somebody made on the target under the old name is not', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id serial PRIMARY KEY); CREATE TABLE moved (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await onBoth(
        [target, source],
        'ALTER TABLE t RENAME TO renamed; CREATE SCHEMA s; ALTER TABLE moved SET SCHEMA s',
      );
      await target.exec('CREATE TABLE t (id int PRIMARY KEY)');
      expect(await scene.abort()).toEqual({
        leftovers: ['target: left, not ours: TABLE public.t, SCHEMA s'],
      });
      const left = "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND oid >= 16384";
      expect(await target.rows(left)).toEqual([{ name: 't' }]);
    });
  });

  test('on both sides it stays in the migration under its new name: link, barrier, comparison and way back', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE t (id serial PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY, a int);
      INSERT INTO t DEFAULT VALUES; INSERT INTO u VALUES (1, 1)`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await scene.rollback();
      await onBoth(
        [target, source],
        // Two change names with each other, and both keep their rows and their way.
        `CREATE SCHEMA other; ALTER TABLE t SET SCHEMA other; ALTER TABLE u RENAME TO t;
         ALTER TABLE other.t RENAME TO u; ALTER TABLE other.u SET SCHEMA public`,
      );
      await source.exec('INSERT INTO u DEFAULT VALUES; INSERT INTO t VALUES (2, 2)');
      const { summary } = await scene.verify();
      expect(summary).toMatchObject({ equal: true });
      expect(summary.tables.map(({ table, sourceRows }) => [table, sourceRows]).toSorted()).toEqual([
        ['public.t', 2],
        ['public.u', 2],
      ]);
      scene.events.length = 0;
      await scene.sync();
      expect(scene.events.filter(({ type }) => type === 'copy-finished')).toEqual([]);
      expect((await scene.cutover()).verification?.tables).toHaveLength(2);
      await target.exec('INSERT INTO t VALUES (3, 3)');
      await expect(source.exec('INSERT INTO t VALUES (4, 4)')).rejects.toThrow();
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect(await source.rows('SELECT id FROM t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
      await scene.abort();
    });
  });

  test('on one side it is refused, with both names, before anything is emptied or copied', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec('ALTER TABLE t RENAME TO u');
      for (const command of ['sync', 'cutover'] as const)
        await expect(scene[command]()).rejects.toMatchObject({
          code: 'table_renamed',
          message: expect.stringMatching(/public\.u of the source is public\.t on the target/),
        });
      expect(await target.rows('SELECT * FROM t')).toEqual([{ id: 1 }]);
      await target.exec('ALTER TABLE t RENAME TO u');
      await scene.sync();
      await source.exec('INSERT INTO u VALUES (2)');
      await scene.expectEqual();
      await scene.abort();
    });
  });
});
