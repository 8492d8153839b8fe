import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const planLines = async (scene: Scene) =>
  (await scene.run((migration) => migration.plan())).sections.flatMap(({ title, lines }) => [
    title,
    ...lines.map((line) => line.statement),
  ]);

const backAndAbort = async (scene: Scene) => {
  await scene.run((migration) => migration.rollback());
  expect(await scene.run((migration) => migration.abort())).toEqual({ leftovers: [] });
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
      await scene.run((migration) => migration.sync());
      expect(await one(target, 'SELECT n FROM a_total')).toBe(10);
      const lines = (await planLines(scene)).join('\n');
      expect(lines).toMatch(/Materialized views.*\d+ ms the last time/);
      expect(lines).toContain('public.z_base: REFRESH CONCURRENTLY');
      expect(lines).toContain('public.empty: not populated, stays so');

      await source.exec('INSERT INTO sale VALUES (2, 5)');
      await scene.run((migration) => migration.cutover());
      expect(await one(target, 'SELECT n FROM a_total')).toBe(15);
      await expect(target.rows('SELECT n FROM empty')).rejects.toMatchObject({ code: '55000' });

      await target.exec('INSERT INTO sale VALUES (3, 1)');
      await backAndAbort(scene);
      expect(await one(source, 'SELECT n FROM a_total')).toBe(16);
    });
  });

  test('one that cannot be refreshed stops the sync with its name, and a switch only with a warning', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE n (id int PRIMARY KEY, d int); INSERT INTO n VALUES (1, 1);
      CREATE MATERIALIZED VIEW broken AS SELECT 1 / d AS n FROM n; UPDATE n SET d = 0`);
    await withScene({ source, target }, async (scene) => {
      await expect(scene.run((migration) => migration.sync())).rejects.toMatchObject({
        code: 'view_not_refreshed',
        exitCode: 3,
        message: expect.stringContaining('public.broken'),
      });
      await source.exec('UPDATE n SET d = 2');
      await scene.run((migration) => migration.sync());
      await source.exec('UPDATE n SET d = 0');
      await scene.run((migration) => migration.cutover());
      const warned = scene.events.filter((event) => event.type === 'warning').map((event) => event.data.code);
      expect(warned).toEqual(['view_not_refreshed']);
      await backAndAbort(scene);
    });
  });
});

describe('case 24: large objects', () => {
  const contents = (side: Database) =>
    side.rows(`SELECT m.oid::bigint AS oid, md5(lo_get(m.oid)) AS content, pg_get_userbyid(lomowner) = current_user AS mine,
      (SELECT string_agg(privilege_type, ',' ORDER BY 1) FROM aclexplode(lomacl) WHERE grantee <> lomowner) AS granted,
      obj_description(m.oid, 'pg_largeobject') AS note
      FROM pg_largeobject_metadata m ORDER BY 1`);

  test('are carried with oid, owner, grants, comment and every byte, again before each switch, and back', async ({
    source,
    target,
  }) => {
    const reader = `${source.name}_reader`;
    await source.exec(`CREATE ROLE ${reader} LOGIN; CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(4711, 'small'), lo_create(4712), lo_from_bytea(4714, 'gone soon');
      SELECT lo_from_bytea(4713, decode(repeat('00ff17', 1000000), 'hex')); SELECT lo_put(lo_create(4715), 5000000, 'end');
      ALTER LARGE OBJECT 4711 OWNER TO ${reader}; GRANT SELECT ON LARGE OBJECT 4713 TO ${reader}; COMMENT ON LARGE OBJECT 4712 IS 'it''s empty'`);
    const before = await contents(source);
    await withScene({ source, target }, async (scene) => {
      await scene.run((migration) => migration.sync());
      expect(await contents(target)).toEqual(before);
      expect((await planLines(scene)).join('\n')).toMatch(/Large objects.*\d+ ms the last time/);

      await source.exec("SELECT lo_unlink(4714), lo_put(4713, 7, 'x'), lo_from_bytea(4716, 'new')");
      const late = await contents(source);
      await scene.run((migration) => migration.cutover());
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
      await scene.run((migration) => migration.sync());
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
      await scene.run((migration) => migration.cutover());
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
      await expect(scene.run((migration) => migration.sync())).rejects.toMatchObject({
        code: 'large_object_taken',
      });
      expect(await scene.run((migration) => migration.abort())).toEqual({ leftovers: [] });
      expect(await target.rows("SELECT md5(lo_get(4711)) = md5('theirs') AS kept")).toEqual([{ kept: true }]);
    });
  });
});

test('case 24: an unlogged table comes as a definition, empty; plan and report say so, and it is left alone at a rollback', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text);
    CREATE INDEX ON cache (v); INSERT INTO cache VALUES (1, 'on the source')`);
  await withScene({ source, target }, async (scene) => {
    expect((await planLines(scene)).join('\n')).toMatch(
      /public\.cache: unlogged table: .*empty on the target/,
    );
    await scene.run((migration) => migration.sync());
    await scene.run((migration) => migration.cutover());
    expect(await target.rows('SELECT * FROM cache')).toEqual([]);
    await target.exec("INSERT INTO cache VALUES (2, 'on the target')");
    const { notCarried } = await scene.run((migration) => migration.report());
    expect(notCarried.map(({ object }) => object)).toContain('public.cache');
    await backAndAbort(scene);
    expect(await source.rows('SELECT id FROM cache')).toEqual([{ id: 1 }]);
  });
});
