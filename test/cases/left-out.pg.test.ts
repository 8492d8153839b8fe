import { describe, expect, vi } from 'vitest';
import { Connection } from '../../src/postgres/connection.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const planLines = async (scene: Scene) =>
  (await scene.run((migration) => migration.plan())).sections.flatMap(({ title, lines }) => [
    title,
    ...lines.map((line) => line.statement),
  ]);

const backAndAbort = async (scene: Scene) => {
  await scene.rollback();
  expect(await scene.abort()).toEqual({ leftovers: [] });
};

describe('case 24: materialized views', () => {
  const one = (side: Database, text: string) => side.rows<{ n: number }>(text).then(([row]) => row?.n);

  test('are filled at the sync, refreshed before each switch, in the order of their dependence; unpopulated ones stay so', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE sale (id int PRIMARY KEY, sum int); INSERT INTO sale VALUES (1, 10);
      CREATE MATERIALIZED VIEW z_base AS SELECT id, sum FROM sale; CREATE UNIQUE INDEX ON z_base (id);
      CREATE VIEW between_them AS SELECT * FROM z_base;
      CREATE MATERIALIZED VIEW a_total AS SELECT sum(sum)::int AS n FROM between_them;
      CREATE MATERIALIZED VIEW empty AS SELECT 1 AS n WITH NO DATA`);
    await withScene({ source, target }, async (scene) => {
      expect((await planLines(scene)).join('\n')).toMatch(/Materialized views.*not timed yet/);
      await scene.sync();
      expect(await one(target, 'SELECT n FROM a_total')).toBe(10);
      const lines = (await planLines(scene)).join('\n');
      expect(lines).toMatch(/Materialized views.*\d+ ms the last time/);
      expect(lines).toContain('public.z_base: REFRESH CONCURRENTLY');
      expect(lines).toContain('public.empty: not populated, stays so');

      await source.exec('INSERT INTO sale VALUES (2, 5)');
      await scene.cutover();
      expect(await one(target, 'SELECT n FROM a_total')).toBe(15);
      await expect(target.rows('SELECT n FROM empty')).rejects.toMatchObject({ code: '55000' });

      await target.exec('INSERT INTO sale VALUES (3, 1)');
      await backAndAbort(scene);
      expect(await one(source, 'SELECT n FROM a_total')).toBe(16);
    });
  });

  test('over a table whose policies filter for the view’s owner show what the owner sees', async ({
    source,
    target,
  }) => {
    const owner = `${source.name}_owner`;
    await source.exec(`CREATE ROLE ${owner}; GRANT USAGE, CREATE ON SCHEMA public TO ${owner};
      CREATE TABLE account (id int PRIMARY KEY); INSERT INTO account SELECT generate_series(1, 10);
      ALTER TABLE account ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON account TO ${owner} USING (id <= 3);
      GRANT SELECT ON account TO ${owner}; SET ROLE ${owner};
      CREATE MATERIALIZED VIEW seen AS SELECT count(*)::int AS n FROM public.account; RESET ROLE`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      expect(await one(target, 'SELECT n FROM seen')).toBe(3);
      await source.exec('DELETE FROM account WHERE id = 1');
      await scene.cutover();
      expect(await one(target, 'SELECT n FROM seen')).toBe(2);
      expect(scene.events.filter((event) => event.type === 'warning')).toEqual([]);
      await backAndAbort(scene);
    });
  });

  test('one that cannot be refreshed stops the sync with its name, and a switch only with a warning', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE n (id int PRIMARY KEY, d int); INSERT INTO n VALUES (1, 1);
      CREATE MATERIALIZED VIEW broken AS SELECT 1 / d AS n FROM n; UPDATE n SET d = 0`);
    await withScene({ source, target }, async (scene) => {
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'view_not_refreshed',
        exitCode: 3,
        message: expect.stringContaining('public.broken'),
      });
      await source.exec('UPDATE n SET d = 2');
      await scene.sync();
      await source.exec('UPDATE n SET d = 0');
      await scene.cutover();
      const warned = scene.events.filter((event) => event.type === 'warning').map((event) => event.data.code);
      expect(warned).toEqual(['view_not_refreshed']);
      await backAndAbort(scene);
    });
  });
});

describe('case 24: large objects', () => {
  const contents = (side: Database) =>
    side.rows(`SELECT m.oid::bigint AS oid, md5(lo_get(m.oid)) AS content, pg_get_userbyid(lomowner) = current_user AS mine,
      (SELECT string_agg(DISTINCT privilege_type, ',' ORDER BY privilege_type) FROM aclexplode(lomacl) WHERE grantee <> lomowner) AS granted,
      obj_description(m.oid, 'pg_largeobject') AS note
      FROM pg_largeobject_metadata m ORDER BY 1`);

  test('are carried with oid, owner, grants, comment and every byte, again before each switch, and back', async ({
    source,
    target,
  }) => {
    const reader = `${source.name}_reader`;
    await source.exec(`CREATE ROLE ${reader} LOGIN; CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(4711, 'small'), lo_create(4712), lo_from_bytea(4714, 'gone soon');
      SELECT lo_from_bytea(4713, decode(repeat('00ff17', 1000000), 'hex')); SELECT lo_put(lo_create(4715), 6000000, 'end');
      GRANT SELECT ON LARGE OBJECT 4711 TO ${reader} WITH GRANT OPTION; ALTER LARGE OBJECT 4711 OWNER TO ${reader}; GRANT SELECT ON LARGE OBJECT 4713 TO ${reader}; COMMENT ON LARGE OBJECT 4712 IS 'it''s empty'`);
    // Twice, by who owns it and by who may hand it on.
    const giver = `${source.name}_giver`;
    await source.exec(`CREATE ROLE ${giver}; GRANT SELECT ON LARGE OBJECT 4715 TO ${giver} WITH GRANT OPTION;
      GRANT SELECT ON LARGE OBJECT 4715 TO ${reader}; SET ROLE ${giver}; GRANT SELECT ON LARGE OBJECT 4715 TO ${reader}; RESET ROLE`);
    const before = await contents(source);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      expect(await contents(target)).toEqual(before);
      expect((await planLines(scene)).join('\n')).toMatch(/Large objects.*\d+ ms the last time/);

      await source.exec("SELECT lo_unlink(4714), lo_put(4713, 7, 'x'), lo_from_bytea(4716, 'new')");
      const late = await contents(source);
      using asked = vi.spyOn(Connection.prototype, 'query');
      await scene.cutover();
      // Compared, carried, compared; so many are not read again in the pause, nor to rehearse it.
      const readings = asked.mock.calls.filter(([statement]) => statement.text.includes('lo_lseek64'));
      expect(readings).toHaveLength(4);
      expect(await contents(target)).toEqual(late);

      await target.exec("SELECT lo_unlink(4711), lo_from_bytea(4717, 'on the target')");
      const there = await contents(target);
      await backAndAbort(scene);
      expect(await contents(source)).toEqual(there);
      expect(await contents(target)).toEqual([]);
    });
  });

  test('one that changes in the last moment gives the switch up, and nothing is lost', async ({
    source,
    target,
  }) => {
    await source.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(4711, 'first')");
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const attempt = scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          observe: () => real.observe(),
          prepare: (to) => real.prepare(to),
          pause: async (options) => {
            await source.exec("SELECT lo_put(4711, 0, 'F')");
            return real.pause(options);
          },
          renew: (leaseMs) => real.renew(leaseMs),
          committing: (to, epoch) => real.committing(to, epoch),
          resume: (side, epoch) => real.resume(side, epoch),
          [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
        }),
      });
      await expect(attempt).rejects.toMatchObject({ code: 'large_objects_change', exitCode: 6 });
      await scene.cutover();
      expect(await target.rows("SELECT convert_from(lo_get(4711), 'UTF8') AS text")).toEqual([
        { text: 'First' },
      ]);
      await backAndAbort(scene);
    });
  });

  test('one of the target’s own is never overwritten', async ({ source, target }) => {
    await source.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(4711, 'ours')");
    await target.exec("SELECT lo_from_bytea(4711, 'theirs')");
    await withScene({ source, target }, async (scene) => {
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'large_object_taken',
      });
      expect(await scene.abort()).toEqual({ leftovers: [] });
      expect(await target.rows("SELECT md5(lo_get(4711)) = md5('theirs') AS kept")).toEqual([{ kept: true }]);
    });
  });
});

describe('case 24: unlogged tables', { timeout: 240_000 }, () => {
  const TABLES = `CREATE TABLE t (id int PRIMARY KEY);
    CREATE UNLOGGED TABLE visit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, page text, twice text GENERATED ALWAYS AS (page || page) STORED);
    CREATE UNLOGGED TABLE click (id serial PRIMARY KEY, visit int REFERENCES visit, by int REFERENCES click);
    CREATE TABLE day (d int, v text) PARTITION BY RANGE (d); CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM (1) TO (2);
    CREATE UNLOGGED TABLE day_2 PARTITION OF day FOR VALUES FROM (2) TO (3); ALTER TABLE day REPLICA IDENTITY FULL; ALTER TABLE day_1 REPLICA IDENTITY FULL;
    CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.t VALUES ((SELECT count(*) FROM public.t)); RETURN NULL; END';
    CREATE TRIGGER loud AFTER INSERT OR TRUNCATE ON visit EXECUTE FUNCTION count_it();
    INSERT INTO visit (page) VALUES ('a'), ('b'); INSERT INTO click (visit) VALUES (1), (2); INSERT INTO day VALUES (1, 'logged'), (2, 'unlogged');
    CREATE MATERIALIZED VIEW pages AS SELECT count(*)::int AS n FROM visit`;
  const contents = async (side: Database) => ({
    visit: await side.rows('SELECT id, page, twice FROM visit ORDER BY id'),
    click: await side.rows('SELECT id, visit FROM click ORDER BY id'),
    day: await side.rows('SELECT d, v FROM day ORDER BY d'),
    t: await side.rows('SELECT * FROM t ORDER BY id'),
    pages: await side.rows('SELECT n FROM pages'),
  });

  test('are copied at the sync and again before each switch, with what hangs on them, and back; no trigger fires twice', async ({
    source,
    target,
  }) => {
    await source.exec(TABLES);
    await withScene({ source, target }, async (scene) => {
      const before = (await planLines(scene)).join('\n');
      expect(before).toMatch(/Copied in whole at the sync.*not timed yet/);
      expect(before).toMatch(/public\.visit: unlogged, about \d+ rows, 1 MB/);
      await scene.sync();
      expect(await contents(target)).toEqual(await contents(source));
      expect((await planLines(scene)).join('\n')).toMatch(
        /Copied in whole at the sync.*\d+ ms the last time/,
      );

      await source.exec(`DELETE FROM click; DELETE FROM visit; INSERT INTO visit (page) VALUES ('late'); INSERT INTO click (visit) VALUES (3);
        UPDATE day SET v = 'late' WHERE d = 2; REFRESH MATERIALIZED VIEW pages`);
      await scene.cutover();
      expect(await contents(target)).toEqual(await contents(source));
      const { notCarried } = await scene.run((migration) => migration.report());
      expect(notCarried.map(({ object }) => object)).toEqual(
        expect.arrayContaining(['public.visit', 'public.click', 'public.day_2']),
      );

      await target.exec(
        "INSERT INTO visit (page) VALUES ('on the target'); INSERT INTO click (visit) VALUES (4)",
      );
      const there = await contents(target);
      await scene.rollback();
      expect(await contents(source)).toEqual({ ...there, pages: [{ n: 2 }] });
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('come empty with copy.unloggedTables: empty, and each side keeps its own rows', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text);
      INSERT INTO cache VALUES (1, 'on the source')`);
    await withScene({ source, target }, async (scene) => {
      scene.settings = { ...scene.settings, copy: { ...scene.settings.copy, unloggedTables: 'empty' } };
      expect((await planLines(scene)).join('\n')).toContain(
        'public.cache: stays empty (copy.unloggedTables)',
      );
      await scene.sync();
      await scene.cutover();
      expect(await target.rows('SELECT * FROM cache')).toEqual([]);
      await target.exec("INSERT INTO cache VALUES (2, 'on the target')");
      await backAndAbort(scene);
      expect(await source.rows('SELECT id FROM cache')).toEqual([{ id: 1 }]);
    });
  });

  test('one that is created after the sync is added by the next, with its rows', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec('CREATE UNLOGGED TABLE cache (id int PRIMARY KEY); INSERT INTO cache VALUES (1)');
      await expect(scene.cutover()).rejects.toMatchObject({
        code: 'schema_drift',
      });
      await scene.sync();
      expect(await target.rows('SELECT id FROM cache')).toEqual([{ id: 1 }]);
      await scene.cutover();
      await backAndAbort(scene);
    });
  });

  test('are copied again when the target lost them in a crash', async ({ ownServers }) => {
    const [from, to] = await ownServers([15, 16]);
    if (from === undefined || to === undefined) throw new Error('No servers');
    const ends = {
      source: { address: from.address('postgres') },
      target: { address: to.address('postgres') },
    };
    const say = async (side: 'source' | 'target', text: string) => {
      const session = await openSession(ends[side].address);
      const { rows } = await session.query(text);
      await session.end();
      return rows;
    };
    await say('source', 'CREATE TABLE t (id int PRIMARY KEY)');
    await say('source', 'CREATE UNLOGGED TABLE cache (id int PRIMARY KEY)');
    await say('source', 'INSERT INTO cache VALUES (1)');
    await withScene(ends, async (scene) => {
      await scene.sync();
      await to.crash();
      await to.start();
      expect(await say('target', 'SELECT id FROM cache')).toEqual([]);
      await scene.sync();
      expect(await say('target', 'SELECT id FROM cache')).toEqual([{ id: 1 }]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });
});

describe('case 33: an extension’s own tables', { timeout: 240_000 }, () => {
  /** As an extension's script leaves them that calls pg_extension_config_dump(); none that PostgreSQL brings along does. */
  const EXTENSION = `CREATE EXTENSION citext; CREATE TABLE place (id int PRIMARY KEY, name text, is_ours boolean);
    CREATE TABLE job (id serial PRIMARY KEY, place int REFERENCES place, what citext);
    INSERT INTO place VALUES (1, 'the extension''s', false);
    ALTER EXTENSION citext ADD TABLE place; ALTER EXTENSION citext ADD TABLE job; ALTER EXTENSION citext ADD SEQUENCE job_id_seq;
    UPDATE pg_extension SET extconfig = ARRAY['place'::regclass, 'job'::regclass]::oid[], extcondition = ARRAY['WHERE is_ours', '']
    WHERE extname = 'citext'`;
  const contents = async (side: Database) => ({
    place: await side.rows('SELECT * FROM place ORDER BY id'),
    job: await side.rows('SELECT * FROM job ORDER BY id'),
  });

  test('the rows that it calls the user’s are copied at the sync and again before each switch, with their numbers, and back', async ({
    source,
    target,
  }) => {
    await source.exec(EXTENSION);
    await target.exec(EXTENSION);
    await source.exec(`CREATE TABLE t (id int PRIMARY KEY); UPDATE place SET name = 'changed'; INSERT INTO place VALUES (7, 'mine', true);
      INSERT INTO job (place, what) VALUES (7, 'sweep')`);
    await withScene({ source, target }, async (scene) => {
      expect((await planLines(scene)).join('\n')).toContain(
        'public.job: the user’s rows of extension citext',
      );
      await scene.sync();
      const theirs = { id: 1, name: "the extension's", is_ours: false };
      expect(await contents(target)).toEqual({
        place: [theirs, { id: 7, name: 'mine', is_ours: true }],
        job: [{ id: 1, place: 7, what: 'sweep' }],
      });
      await source.exec("DELETE FROM job; INSERT INTO place VALUES (8, 'late', true)");
      await scene.cutover();
      await target.exec("INSERT INTO job (place, what) VALUES (8, 'on the target')");
      expect(await contents(target)).toEqual({
        place: [theirs, { id: 7, name: 'mine', is_ours: true }, { id: 8, name: 'late', is_ours: true }],
        job: [{ id: 2, place: 8, what: 'on the target' }],
      });
      await scene.rollback();
      expect((await contents(source)).job).toEqual([{ id: 2, place: 8, what: 'on the target' }]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });
});
