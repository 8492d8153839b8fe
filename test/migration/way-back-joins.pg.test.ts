import { describe, expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const both = async (sides: readonly Database[], statements: string) => {
  for (const side of sides) await side.exec(statements);
};
const rowsOf = (side: Database, table: string) => side.rows(`SELECT * FROM ${table} ORDER BY 1, 2`);
const notReplicated = (table: string) => ({
  code: 'not_ready',
  exitCode: 6,
  message: expect.stringContaining(`not replicated: ${table}`),
  hint: expect.stringContaining('pgglide sync brings'),
});
const changedSteps = (scene: Scene) =>
  scene.events.flatMap((event) =>
    event.type === 'step-finished' && event.data.outcome === 'changed' ? [event.data.step] : [],
  );

const syncStoppedAt = async (scene: Scene, type: 'step-started' | 'step-waiting') => {
  const stop = new AbortController();
  const stopped = scene.run((migration) => migration.sync(), {
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === type && event.data.step === 'join-return-link') stop.abort(new Error('stopped'));
    },
  });
  await expect(stopped).rejects.toThrow('stopped');
};

describe('sync while the target is active', () => {
  test('brings to the source what both sides have got since, whatever way, and the writes of meanwhile', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE anew (id int PRIMARY KEY, note text); INSERT INTO anew VALUES (1, 'old'), (9, 'old');
      CREATE TABLE child (anew int REFERENCES anew, id int PRIMARY KEY); INSERT INTO child VALUES (1, 1);
      CREATE UNLOGGED TABLE logged (id int PRIMARY KEY, note text); INSERT INTO logged VALUES (1, 'old');
      CREATE TABLE p (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
      INSERT INTO p VALUES (1, 'old'), (2, 'old'), (11, 'old')`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      const sides = [source, target];
      await both(
        sides,
        `CREATE TABLE later (id serial PRIMARY KEY, v text); CREATE TABLE seed (id int PRIMARY KEY, v text);
          INSERT INTO seed VALUES (1, 'both'); ALTER TABLE p DETACH PARTITION p1; ALTER TABLE logged SET LOGGED`,
      );
      await target.exec(`INSERT INTO later (v) SELECT 'before' FROM generate_series(1, 1000);
        INSERT INTO seed VALUES (2, 'target'); UPDATE logged SET note = 'new'; UPDATE p1 SET note = 'new' WHERE id = 1;
        ALTER TABLE child DROP CONSTRAINT child_anew_fkey; DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY, note text);
        INSERT INTO anew VALUES (1, 'new'), (2, 'new');
        ALTER TABLE child ADD CONSTRAINT child_anew_fkey FOREIGN KEY (anew) REFERENCES anew`);
      const client = await openSession({ ...target.address, ...scene.proxy });
      let written = 0;
      let isOver = false;
      const writing = (async () => {
        while (!isOver) {
          await client.query("INSERT INTO later (v) VALUES ('meanwhile')");
          written += 1;
        }
      })();
      try {
        await scene.sync();
        const soFar = written;
        await until('more writes', async () => (written > soFar + 20 ? true : undefined), {
          timeoutMs: 30_000,
        });
      } finally {
        isOver = true;
        await writing.finally(() => client.end());
      }
      expect((await scene.verify()).summary.equal).toBe(true);
      const tables = ['later', 'seed', 'anew', 'child', 'logged', 'p', 'p1'];
      for (const table of tables) expect(await rowsOf(source, table)).toEqual(await rowsOf(target, table));
      expect(await source.rows('SELECT count(*) AS n FROM later')).toEqual([{ n: 1000 + written }]);
      await expect(source.exec("INSERT INTO later VALUES (0, 'stray')")).rejects.toMatchObject({
        code: '25006',
      });
      scene.events.length = 0;
      await scene.sync();
      expect(changedSteps(scene)).toEqual([]);
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect(await source.rows("INSERT INTO later (v) VALUES ('back') RETURNING id")).toEqual([
        { id: 1000 + written + 1 },
      ]);
      scene.events.length = 0;
      await scene.sync();
      expect(changedSteps(scene)).not.toContain('copy-tables');
      expect((await scene.cutover()).verification?.equal).toBe(true);
      for (const table of tables) expect(await rowsOf(target, table)).toEqual(await rowsOf(source, table));
      expect(await target.rows('SELECT note, id FROM anew ORDER BY id')).toEqual([
        { id: 1, note: 'new' },
        { id: 2, note: 'new' },
      ]);
      await scene.rollback();
      await scene.abort();
    });
  });

  test('does not empty what one lane has copied where the other lane’s part has to be tried again', async ({
    source,
    target,
  }) => {
    // The second REFRESH ends in a deadlock, once, when the first one's tables are copied.
    await source.exec(`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE SEQUENCE refreshes START 1000;
      CREATE FUNCTION deadlock() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_query() NOT LIKE '%REFRESH PUBLICATION%' OR nextval('public.refreshes') <> 2 THEN RETURN; END IF;
        WHILE EXISTS (SELECT FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
          JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() AND r.srsubstate <> 'r')
        LOOP PERFORM pg_sleep(0.02); END LOOP;
        RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
      END $$;
      CREATE EVENT TRIGGER deadlock ON ddl_command_start WHEN TAG IN ('ALTER SUBSCRIPTION') EXECUTE FUNCTION deadlock()`);
    await withScene({ source, target }, async (scene) => {
      scene.settings = { ...scene.settings, replication: { lanes: 2, divide: 'tables' } };
      await scene.sync();
      await scene.cutover();
      await both(
        [source, target],
        'CREATE TABLE later (id int PRIMARY KEY); CREATE TABLE too (id int PRIMARY KEY)',
      );
      await target.exec('INSERT INTO later VALUES (1), (2); INSERT INTO too VALUES (1), (2)');
      await source.exec("SELECT setval('refreshes', 1, false)");
      await scene.sync();
      expect(await source.rows('SELECT last_value >= 2 AS met FROM refreshes')).toEqual([{ met: true }]);
      for (const table of ['later', 'too'])
        expect(await source.rows(`SELECT id FROM ${table} ORDER BY id`)).toEqual([{ id: 1 }, { id: 2 }]);
      await scene.rollback();
      await scene.abort();
    });
  });

  test('refuses to empty what holds rows of somebody else’s on the source, however often it is asked', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await both([source, target], 'CREATE TABLE later (id int PRIMARY KEY, v text)');
      await source.exec("INSERT INTO later VALUES (1, 'source'), (2, 'both')");
      await target.exec("INSERT INTO later VALUES (2, 'both'), (3, 'target')");
      await scene.verify();
      const refused = {
        code: 'rows_on_passive_side',
        exitCode: 7,
        message: expect.stringContaining(
          'On the source these tables hold rows that the target does not have',
        ),
      };
      await expect(scene.sync()).rejects.toMatchObject(refused);
      await expect(scene.rollback()).rejects.toMatchObject(refused);
      await expect(scene.run((migration) => migration.sync({ skipLsn: '0/1' }))).rejects.toMatchObject({
        code: 'wrong_phase',
      });
      expect(await rowsOf(source, 'later')).toHaveLength(2);
      await source.exec('DELETE FROM later WHERE id = 1');
      await scene.sync();
      expect((await scene.verify()).summary.equal).toBe(true);
      await scene.rollback();
      expect(await rowsOf(source, 'later')).toEqual([
        { id: 2, v: 'both' },
        { id: 3, v: 'target' },
      ]);
      await scene.abort();
    });
  });

  test('refuses it of a planned one, too, that somebody has made anew there, also after a verify', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await source.exec(`DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)`);
      await expect(scene.verify()).rejects.toMatchObject({ code: 'still_joining' });
      await expect(scene.sync()).rejects.toMatchObject({ code: 'rows_on_passive_side' });
      expect(await source.rows('SELECT id FROM t')).toEqual([{ id: 1 }]);
      await source.exec('DELETE FROM t');
      await scene.sync();
      await scene.rollback();
      await scene.abort();
    });
  });

  test('goes on where it was stopped; until then verify and a large rollback refuse', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      const make = async (name: string) => {
        await both([source, target], `CREATE TABLE ${name} (id int PRIMARY KEY, v text)`);
        await target.exec(`INSERT INTO ${name} SELECT g, repeat('x', 1000) FROM generate_series(1, 70000) g`);
      };
      await make('planned');
      await expect(scene.rollback()).rejects.toMatchObject(notReplicated('public.planned'));
      await syncStoppedAt(scene, 'step-started');
      await expect(scene.verify()).rejects.toMatchObject({ code: 'still_joining', exitCode: 7 });
      await expect(scene.rollback()).rejects.toMatchObject(notReplicated('public.planned'));
      const [publication] = await target.rows<{ name: string }>(
        "SELECT pubname AS name FROM pg_publication WHERE pubname ~ '_rev_'",
      );
      await target.exec(`ALTER PUBLICATION "${publication?.name}" ADD TABLE ONLY planned`);
      await expect(scene.verify()).rejects.toMatchObject({ code: 'still_joining' });
      await expect(scene.rollback()).rejects.toMatchObject(notReplicated('public.planned'));
      await scene.sync();
      expect((await scene.verify()).summary.equal).toBe(true);
      await make('subscribed');
      await syncStoppedAt(scene, 'step-started');
      // Keeps PostgreSQL from copying, and puts a row into its way.
      const holder = await openSession(source.address);
      await holder.query('BEGIN; LOCK TABLE subscribed IN SHARE MODE');
      await syncStoppedAt(scene, 'step-waiting');
      await holder.query(
        "SET LOCAL pgglide.passes_fence = on; INSERT INTO subscribed VALUES (1, 'stray'); COMMIT",
      );
      await holder.end();
      await scene.sync();
      expect((await scene.verify()).summary.equal).toBe(true);
      expect((await scene.rollback()).verification?.equal).toBe(true);
      for (const table of ['planned', 'subscribed'])
        expect(await source.rows(`SELECT count(*) AS n FROM ${table}`)).toEqual([{ n: 70000 }]);
      await scene.abort();
    });
  });

  test('a partition that both sides have got is fenced by the next verify, and a table by hand, too', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await both(
        [source, target],
        'CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); CREATE TABLE hand (id int PRIMARY KEY)',
      );
      await scene.verify();
      for (const stray of ['INSERT INTO p2 VALUES (11)', 'INSERT INTO hand VALUES (1)'])
        await expect(source.exec(stray)).rejects.toMatchObject({ code: '25006' });
      await target.exec('INSERT INTO p VALUES (11); INSERT INTO hand VALUES (1)');
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect(await source.rows('SELECT * FROM p UNION ALL SELECT * FROM hand ORDER BY 1')).toEqual([
        { id: 1 },
        { id: 11 },
      ]);
      await scene.abort();
    });
  });

  test('what is left out stays out, made anew or detached, and its rows on the target are safe from the next sync', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE anew (id int PRIMARY KEY); CREATE UNLOGGED TABLE logged (id int PRIMARY KEY);
      CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await both([source, target], 'ALTER TABLE p DETACH PARTITION p1; ALTER TABLE logged SET LOGGED');
      await target.exec(`DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY);
        INSERT INTO anew VALUES (1); INSERT INTO p1 VALUES (1); INSERT INTO logged VALUES (1)`);
      const { scope } = scene.settings;
      const exclude = ['public.anew', 'public.p1', 'public.logged'];
      scene.settings = { ...scene.settings, scope: { ...scope, exclude } };
      expect((await scene.rollback()).verification?.equal).toBe(true);
      scene.settings = { ...scene.settings, scope };
      for (const table of exclude) {
        await expect(scene.sync()).rejects.toMatchObject({
          code: 'rows_on_passive_side',
          message: expect.stringContaining(table),
        });
        expect(await target.rows(`SELECT * FROM ${table}`)).toEqual([{ id: 1 }]);
        await source.exec(`INSERT INTO ${table} VALUES (1)`);
      }
      await scene.sync();
      expect((await scene.verify()).summary.equal).toBe(true);
      await scene.abort();
    });
  });

  test('one that PostgreSQL cannot copy onto rows that are there already is told, and the next sync takes it in', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await both([source, target], 'CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)');
      await target.exec('INSERT INTO later VALUES (2)');
      await syncStoppedAt(scene, 'step-started');
      const [link] = await target.rows<{ name: string }>(
        "SELECT pubname AS name FROM pg_publication WHERE pubname ~ '_rev_'",
      );
      await target.exec(`ALTER PUBLICATION "${link?.name}" ADD TABLE ONLY later`);
      await source.exec(`ALTER SUBSCRIPTION "${link?.name}" REFRESH PUBLICATION`);
      const { problems } = await scene.status();
      expect(problems).toContainEqual(expect.stringMatching(/^public.later is not on the source yet/));
      await scene.sync();
      expect((await scene.verify()).summary.equal).toBe(true);
      expect(await source.rows('SELECT * FROM later ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }]);
      const status = await scene.status();
      expect(status.problems).toEqual([]);
      await scene.rollback();
      await scene.abort();
    });
  });
});
