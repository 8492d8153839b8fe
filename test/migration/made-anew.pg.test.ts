import { describe, expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import { openSession, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const notReplicated = (table: string, hint: string) => ({
  code: 'not_ready',
  exitCode: 6,
  message: expect.stringContaining(`not replicated: ${table}`),
  hint: expect.stringContaining(hint),
});

const MAKE = 'CREATE TABLE t (id int PRIMARY KEY, note text)';

describe('a table under an old name that no link carries refuses the switch', () => {
  for (const [side, how] of [
    ['source', 'dropped and created again'],
    ['target', 'dropped and created again'],
    ['source', 'put in the place of another by its name'],
  ] as const)
    test(`on the ${side}, ${how}: sync copies it anew, and it goes there and back`, async ({
      source,
      target,
    }) => {
      await source.exec(`${MAKE}; INSERT INTO t VALUES (1, 'old');
        CREATE TABLE child (t int REFERENCES t, id int PRIMARY KEY); INSERT INTO child VALUES (1, 1)`);
      await withScene({ source, target }, async (scene) => {
        await scene.sync();
        await scene.cutover();
        await scene.rollback();
        const anew = `ALTER TABLE child DROP CONSTRAINT child_t_fkey; DROP TABLE t; ${MAKE};
          INSERT INTO t VALUES (1, 'new'), (2, 'new');
          ALTER TABLE child ADD CONSTRAINT child_t_fkey FOREIGN KEY (t) REFERENCES t`;
        const swap = `CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new VALUES (1, 'new');
          ALTER TABLE child DROP CONSTRAINT child_t_fkey; DROP TABLE t; ALTER TABLE t_new RENAME TO t;
          ALTER INDEX t_new_pkey RENAME TO t_pkey;
          ALTER TABLE child ADD CONSTRAINT child_t_fkey FOREIGN KEY (t) REFERENCES t`;
        const where = side === 'source' ? source : target;
        await where.exec('SET session_replication_role = replica; SET pgglide.passes_fence = on');
        await where.exec(how.startsWith('put') ? swap : anew);
        await where.exec('SET session_replication_role = origin; SET pgglide.passes_fence = off');
        await source.exec(`INSERT INTO t VALUES (3, 'late')`);
        await expect(scene.cutover()).rejects.toMatchObject(notReplicated('public.t', 'pgglide sync'));
        const { ready } = await scene.status();
        expect(ready).toContainEqual({ name: 'tables replicated', ok: false, detail: 'not public.t' });
        await scene.sync();
        await source.exec(`INSERT INTO t VALUES (4, 'later')`);
        await scene.expectEqual();
        await scene.cutover();
        await target.exec(`UPDATE t SET note = 'back' WHERE id = 1`);
        const { verification } = await scene.rollback();
        expect(verification?.equal).toBe(true);
        expect(await source.rows('SELECT note FROM t WHERE id = 1')).toEqual([{ note: 'back' }]);
        await scene.abort();
      });
    });

  test('what is still on its way of the table that is gone does not come into the one that has its name', async ({
    source,
    target,
  }) => {
    await source.exec(`${MAKE}; CREATE TABLE u (id int PRIMARY KEY)`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const holder = await openSession(target.address);
      await holder.query('BEGIN; LOCK TABLE u IN ACCESS EXCLUSIVE MODE');
      await source.exec('INSERT INTO u VALUES (1)');
      await source.exec(`INSERT INTO t VALUES (1, 'old')`);
      await source.exec(`DROP TABLE t; ${MAKE}; INSERT INTO t VALUES (2, 'new')`);
      const onEvent = ({ type, data }: MigrationEvent) => {
        const isWaiting = type === 'step-waiting' && data.step === 'catch-up';
        if (isWaiting || type === 'copy-finished') void holder.query('ROLLBACK');
      };
      await scene.run((migration) => migration.sync(), { onEvent });
      await holder.end();
      await scene.expectEqual();
      expect(await target.rows('SELECT id FROM t')).toEqual([{ id: 2 }]);
      await scene.abort();
    });
  });

  test('dropped on both sides and created again on the source, at once or after a sync: sync brings it, with all that belongs to it', async ({
    source,
    target,
  }) => {
    const make = `CREATE TABLE again (id serial PRIMARY KEY, note text); CREATE INDEX by_note ON again (note);
      CREATE TABLE tree (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10)`;
    await source.exec(
      `CREATE TABLE stays (id int PRIMARY KEY); ${make}; INSERT INTO again (note) VALUES ('old')`,
    );
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      for (const syncsBetween of [0, 1]) {
        for (const side of [source, target]) await side.exec('DROP TABLE again, tree');
        if (syncsBetween > 0) await scene.sync();
        await source.exec(`${make}; INSERT INTO again (note) VALUES ('new'); INSERT INTO tree VALUES (1)`);
        await scene.sync();
        await source.exec(`INSERT INTO again (note) VALUES ('late'); INSERT INTO tree VALUES (2)`);
        await scene.expectEqual();
        const notes = await target.rows('SELECT note FROM again ORDER BY id');
        expect(notes).toEqual([{ note: 'new' }, { note: 'late' }]);
      }
      await scene.abort();
    });
  });

  test('one that joined alone and was dropped on both sides takes its lane with it: what others have is not copied anew', async ({
    source,
    target,
  }) => {
    await source.exec(MAKE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const oidOnTarget = () => target.rows(`SELECT 't'::regclass::oid`);
      const copied = await oidOnTarget();
      await source.exec('CREATE TABLE later (id int PRIMARY KEY)');
      await scene.sync();
      for (const side of [source, target]) await side.exec('DROP TABLE later');
      await source.exec('CREATE TABLE latest (id int PRIMARY KEY)');
      await scene.sync();
      // As an earlier version left it.
      await target.exec(`INSERT INTO pgglide.copy_table SELECT name, 'public', 'later', 2, 1 FROM pgglide.migration;
        INSERT INTO pgglide.copied_part SELECT name, 'public', 'later', '0', 0, 0 FROM pgglide.migration`);
      await scene.sync();
      expect(await oidOnTarget()).toEqual(copied);
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('a table that was created on both sides by hand joins with a sync, not before it', async ({
    source,
    target,
  }) => {
    await source.exec(MAKE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      for (const side of [source, target]) await side.exec('CREATE TABLE hand (id int PRIMARY KEY)');
      await source.exec('INSERT INTO hand VALUES (1)');
      await scene.verify();
      await expect(scene.cutover()).rejects.toMatchObject(notReplicated('public.hand', 'pgglide sync'));
      await scene.sync();
      await scene.cutover();
      expect(await target.rows('SELECT * FROM hand')).toEqual([{ id: 1 }]);
      for (const side of [source, target]) await side.exec('CREATE TABLE later (id int PRIMARY KEY)');
      await target.exec('INSERT INTO later VALUES (1)');
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect(await source.rows('SELECT * FROM later')).toEqual([{ id: 1 }]);
      await scene.abort();
    });
  });

  test('one that the target holds rows of is not emptied by a sync: they are on no other side', async ({
    source,
    target,
  }) => {
    await source.exec(MAKE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      for (const side of [source, target])
        await side.exec(
          `CREATE TABLE later (id int PRIMARY KEY); CREATE TABLE seed (id int PRIMARY KEY); INSERT INTO seed VALUES (1)`,
        );
      await target.exec('INSERT INTO later VALUES (1)');
      const { scope } = scene.settings;
      scene.settings = { ...scene.settings, scope: { ...scope, exclude: ['public.later', 'public.seed'] } };
      await scene.verify();
      await scene.rollback();
      scene.settings = { ...scene.settings, scope };
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'rows_on_passive_side',
        exitCode: 7,
        message: expect.stringContaining('public.later (1 rows or more)'),
        hint: expect.stringContaining('on the target'),
      });
      expect(await target.rows('SELECT * FROM later')).toEqual([{ id: 1 }]);
      await source.exec('INSERT INTO later VALUES (1), (2)');
      await scene.sync();
      await scene.expectEqual();
      expect(await target.rows('SELECT * FROM later')).toEqual([{ id: 1 }, { id: 2 }]);
      await scene.abort();
    });
  });
});
