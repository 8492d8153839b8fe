/** What somebody else keeps on the target is theirs, whatever we throw away there. */

import { expect } from 'vitest';
import { forgetCopy } from '../../src/state/copy-progress.ts';
import type { Database } from '../support/database.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLE = `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g FROM generate_series(1, 100) g`;

/** What was copied cannot be followed any more. */
async function loseSlot(source: Database, target: Database): Promise<void> {
  const [{ subname } = { subname: '' }] = await target.rows<{ subname: string }>(
    'SELECT subname FROM pg_subscription',
  );
  await target.exec(`ALTER SUBSCRIPTION ${subname} DISABLE`);
  await expect
    .poll(() =>
      source
        .exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
        .then(() => 'gone', String),
    )
    .toBe('gone');
}

test('a copy that is made anew, and abort, leave alone what others have made on the target', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await target.exec(`CREATE SCHEMA mon; CREATE TABLE mon.sample (n int); INSERT INTO mon.sample VALUES (7);
      CREATE VIEW mon.total AS SELECT sum(n) FROM t`);
    await loseSlot(source, target);
    const inUse = { code: 'copy_in_use', exitCode: 3, message: expect.stringContaining('view mon.total') };
    await expect(scene.sync()).rejects.toMatchObject(inUse);
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([{ count: 100 }]);

    await target.exec('DROP VIEW mon.total');
    await scene.sync();
    await scene.expectEqual();
    expect(await target.rows('SELECT n FROM mon.sample')).toEqual([{ n: 7 }]);

    await target.exec('CREATE VIEW mon.total AS SELECT sum(n) FROM t');
    const { leftovers } = await scene.abort();
    expect(leftovers).toEqual([
      'target: TABLE public.t: rule _RETURN on view mon.total needs it, and is not ours',
      'target: left, not ours: VIEW mon.total, TABLE mon.sample, SCHEMA mon',
    ]);
    expect(await target.rows('SELECT n FROM mon.sample')).toEqual([{ n: 7 }]);
    await target.exec('DROP TABLE t CASCADE');
  });
});

test('the tables of a completed migration stay when another one into the same database is aborted', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (id int PRIMARY KEY); INSERT INTO a.t VALUES (1);
    CREATE TABLE b.t (id int PRIMARY KEY); INSERT INTO b.t VALUES (1)`);
  await withScene({ source, target }, async (scene) => {
    const { settings } = scene;
    scene.settings = { ...settings, scope: { schemas: ['a'], exclude: [] } };
    await scene.sync();
    await scene.verify();
    await scene.cutover();
    await scene.run((migration) => migration.complete({ dropFence: false }));
    scene.settings = { ...settings, migration: 'second', scope: { schemas: ['b'], exclude: [] } };
    const fenced = { code: 'preflight_failed', message: expect.stringContaining('PGG185') };
    await expect(scene.sync()).rejects.toMatchObject(fenced);
    scene.settings = settings;
    await scene.run((migration) => migration.complete({ dropFence: true }));
    scene.settings = { ...settings, migration: 'second', scope: { schemas: ['b'], exclude: [] } };
    await scene.sync();
    await scene.abort();
    expect(await target.rows('SELECT name FROM pgglide.migration')).toEqual([{ name: settings.migration }]);
    expect(await target.rows('SELECT id FROM a.t')).toEqual([{ id: 1 }]);
    expect(await target.rows("SELECT to_regnamespace('b') AS b")).toEqual([{ b: null }]);
  });
});

test('a source takes part in one migration at a time, and abort of the refused one leaves the other be', async ({
  source,
  target,
  ownServers,
}) => {
  await source.exec(TABLE);
  const [staging] = await ownServers([16]);
  if (staging === undefined) throw new Error('no server');
  await withScene({ source, target }, async (scene) => {
    const { settings } = scene;
    await scene.sync();
    const other = { target: staging.address(), targetForSource: staging.address() };
    for (const elsewhere of [other, {}]) {
      scene.settings = { ...settings, ...elsewhere, migration: 'rehearsal' };
      const used = {
        code: 'preflight_failed',
        message: expect.stringContaining('another migration uses the source'),
      };
      await expect(scene.sync()).rejects.toMatchObject(used);
      await scene.abort();
    }
    scene.settings = settings;
    await source.exec('INSERT INTO t VALUES (1000, 1)');
    await scene.expectEqual();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});

test('abort says what it does not take back, and drops the roles it made also when the copy was just thrown away', async ({
  source,
  target,
}) => {
  const [old, young] = [`${source.name}_old`, `${source.name}_young`];
  await source.exec(`${TABLE}; CREATE ROLE ${old} LOGIN PASSWORD 'one'; CREATE ROLE ${young} LOGIN PASSWORD 'two';
    GRANT ${old} TO ${young}; ALTER ROLE ${old} SET work_mem = '5MB'; ALTER ROLE ${young} SET work_mem = '5MB';
    ALTER DATABASE ${source.name} SET statement_timeout = '1h'`);
  await target.exec(`CREATE ROLE ${old} LOGIN PASSWORD 'three'`);
  try {
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      // As a sync leaves it that was killed right after it had thrown the copy away.
      await target.exec('DROP TABLE t');
      await forgetCopy(target.connection, scene.settings.migration);
      const { leftovers } = await scene.abort();
      expect(leftovers).toEqual([
        'target: not taken back: ALTER DATABASE SET statement_timeout',
        `target: not taken back: ALTER ROLE ${old} PASSWORD (verifier)`,
        `target: not taken back: ALTER ROLE ${old} SET work_mem`,
      ]);
      expect(await target.rows(`SELECT FROM pg_roles WHERE rolname = '${young}'`)).toEqual([]);
    });
  } finally {
    await target.exec(`DROP ROLE ${old}`);
  }
});

test('abort says what of schema public, and of the default privileges, it does not take back', async ({
  source,
  target,
}) => {
  const [old, young] = [`${source.name}_old`, `${source.name}_young`];
  await source.exec(`${TABLE}; CREATE ROLE ${old}; CREATE ROLE ${young} LOGIN;
    GRANT CREATE ON SCHEMA public TO ${young}; GRANT CREATE ON SCHEMA public TO ${old}; COMMENT ON SCHEMA public IS 'the shop';
    ALTER DEFAULT PRIVILEGES FOR ROLE ${old} IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE ${young} GRANT SELECT ON SEQUENCES TO PUBLIC;
    CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO ${young}; ALTER DEFAULT PRIVILEGES FOR ROLE ${old} IN SCHEMA app GRANT EXECUTE ON FUNCTIONS TO ${young};
    GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO ${old}`);
  await target.exec(`CREATE ROLE ${old}`);
  try {
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      expect(await scene.abort()).toEqual({
        leftovers: [
          'target: not taken back: ALTER DEFAULT PRIVILEGES FOR TABLES IN SCHEMA public',
          'target: not taken back: COMMENT ON SCHEMA public',
          'target: not taken back: GRANT ON FUNCTION pg_reload_conf()',
          'target: not taken back: GRANT ON SCHEMA public',
        ],
      });
    });
  } finally {
    await target.exec(`DROP OWNED BY ${old}; DROP ROLE ${old}`);
  }
});

test('what was granted in schema public to roles that go with the migration is no change that stays', async ({
  source,
  target,
}) => {
  const young = `${source.name}_young`;
  await source.exec(`${TABLE}; CREATE ROLE ${young}; GRANT CREATE ON SCHEMA public TO ${young};
    GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO ${young}; GRANT SELECT ON pg_catalog.pg_authid TO ${young}`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});

test('of two migrations that are begun at once in one database only one begins', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    const names = [scene.settings.migration, 'another'];
    const syncs = names.map((migration) => {
      scene.settings = { ...scene.settings, migration };
      return scene.sync();
    });
    const results = await Promise.allSettled(syncs);
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(['another_runner', 'preflight_failed']).toContain(refused[0]);
    expect(refused).toHaveLength(1);
    const begun = await target.rows<{ name: string }>('SELECT name FROM pgglide.migration');
    expect(begun).toHaveLength(1);
    scene.settings = { ...scene.settings, migration: begun[0]?.name ?? '' };
    await scene.expectEqual();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});

test('a first sync that ended before it published anything looks again whether another migration has begun', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    const stop = new AbortController();
    const ended = scene.run((migration) => migration.sync(), {
      signal: stop.signal,
      onEvent: ({ type }) => {
        if (type === 'phase-changed') stop.abort();
      },
    });
    await expect(ended).rejects.toThrow();
    expect((await scene.status()).phase).toBe('syncing');
    expect(await source.rows('SELECT pubname FROM pg_publication')).toEqual([]);
    // As one into another target, which nothing but its link tells of here.
    await source.exec('CREATE PUBLICATION pgglide_another_fwd_0 FOR TABLE t');
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'preflight_failed',
      message: expect.stringContaining('PGG185'),
    });
    await source.exec('DROP PUBLICATION pgglide_another_fwd_0');
    await scene.sync();
    await scene.expectEqual();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});

test('what was renamed on both sides since the sync goes with an abort; what has its old name now stays', async ({
  source,
  target,
}) => {
  await source.exec(`${TABLE}; CREATE SCHEMA s; CREATE VIEW s.v AS SELECT * FROM t; CREATE SEQUENCE loose; CREATE TYPE mood AS ENUM ('calm');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM t; CREATE COLLATION german (provider = libc, locale = 'C')`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const renames = `ALTER VIEW s.v RENAME TO w; ALTER SCHEMA s RENAME TO s2; ALTER SEQUENCE loose RENAME TO tight;
      ALTER TYPE mood RENAME TO temper; ALTER DOMAIN positive SET SCHEMA s2; ALTER FUNCTION f(temper) RENAME TO g;
      ALTER MATERIALIZED VIEW m RENAME TO n; ALTER COLLATION german RENAME TO deutsch`;
    for (const side of [target, source]) await side.exec(renames);
    await target.exec(`CREATE TYPE mood AS ENUM ('other'); CREATE SCHEMA s; CREATE VIEW s.v AS SELECT 1 AS one;
      CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 2'`);
    expect(await scene.abort()).toEqual({
      leftovers: [
        'target: left, not ours: VIEW s.v, SCHEMA s, ROUTINE public.f(public.mood), TYPE public.mood',
      ],
    });
    expect(await target.rows("SELECT one, f('other') AS two FROM s.v")).toEqual([{ one: 1, two: 2 }]);
  });
});
