import { describe, expect } from 'vitest';
import { dumpSchema } from '../../src/schema/dump-schema.ts';
import { copyBed } from '../support/copy-bed.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('case 25: no pg_dump is installed, and no psql: the built-in one’s output is plain SQL', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  const statements = await dumpSchema(source.address, { pgDump: 'wasm' });
  expect(statements.map(({ sql }) => sql).join('\n')).not.toMatch(/^\\/m);
  for (const { sql } of statements) await target.exec(sql);
  expect(await target.rows('SELECT id FROM t')).toEqual([]);
});

describe('case 27: a value of more than 512 MB', () => {
  const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, data bytea NOT NULL)';

  test('is not doubled by a text form: bytea is copied in binary', async ({ source, target }) => {
    await source.exec(`${TABLE}; INSERT INTO t VALUES (1, '\\x00ff')`);
    await target.exec(TABLE);
    await using bed = await copyBed(source, target);
    expect(bed.parts.map(({ format }) => format)).toEqual(['binary']);
    await bed.run();
    expect(await target.rows('SELECT length(data) AS n FROM t')).toEqual([{ n: 2 }]);
  });

  // Needs some 3 GB of memory: TEST_LARGE_VALUES=1 asks for it.
  test.runIf(process.env.TEST_LARGE_VALUES)(
    'arrives whole',
    { timeout: 300_000 },
    async ({ source, target }) => {
      await source.exec(`${TABLE}; ALTER TABLE t ALTER data SET STORAGE EXTERNAL;
      INSERT INTO t SELECT 1, convert_to(repeat('0123456789', 54000000), 'UTF8')`);
      await target.exec(TABLE);
      await using bed = await copyBed(source, target);
      await bed.run();
      expect(await target.rows('SELECT length(data) AS n FROM t')).toEqual([{ n: 540_000_000 }]);
    },
  );
});

test('case 30: both sides print alike whatever their sessions’ settings are', async ({ source, target }) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY, at timestamptz, i interval, d date, f float8, b bytea, x xml, m money);
    INSERT INTO t VALUES (1, '2026-03-29 01:30:00+00', '1 mon -2 days', '2026-02-03', 0.1::float8 + 0.2, '\\xdeadbeef', '<a/>', 12.5)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec(`ALTER DATABASE "${source.name}" SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE "${source.name}" SET bytea_output = 'escape';
      ALTER DATABASE "${source.name}" SET IntervalStyle = 'sql_standard'`);
    await target.exec(`ALTER DATABASE "${target.name}" SET TimeZone = 'America/St_Johns'; ALTER DATABASE "${target.name}" SET DateStyle = 'SQL, DMY';
      ALTER DATABASE "${target.name}" SET extra_float_digits = -15; ALTER DATABASE "${target.name}" SET xmlbinary = 'hex'`);
    await source.exec('UPDATE t SET f = f + 1');
    await scene.expectEqual();
    await scene.abort();
  });
});

test('case 37: partial, exclusion, deferrable and long indexes, foreign operator classes, NOT VALID keys over broken rows', async ({
  source,
  target,
}) => {
  const columns = Array.from({ length: 30 }, (_, n) => `column_with_a_rather_long_name_${n}`);
  await source.exec(`CREATE SCHEMA elsewhere; CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm SCHEMA elsewhere;
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE t (id int PRIMARY KEY, parent int, during int4range, word text, CONSTRAINT once UNIQUE (parent) DEFERRABLE INITIALLY DEFERRED,
      EXCLUDE USING gist (id WITH =, during WITH &&) WHERE (id > 0), ${columns.map((name) => `${name} int`).join(', ')});
    CREATE UNIQUE INDEX part ON t (word) WHERE parent IS NULL;
    CREATE INDEX trigrams ON t USING gin (word elsewhere.gin_trgm_ops);
    CREATE INDEX long_one ON t (${columns.map((name) => `(coalesce(${name}, ${'0'.repeat(20)}1))`).join(', ')});
    INSERT INTO t (id, parent, during, word) VALUES (1, 77, '[1,3)', 'orphan'), (2, NULL, '[1,3)', 'free');
    ALTER TABLE t ADD CONSTRAINT broken FOREIGN KEY (parent) REFERENCES parent NOT VALID;
    ALTER TABLE t ADD CONSTRAINT short CHECK (length(word) < 5) NOT VALID`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    expect(scene.events.filter((event) => event.type === 'warning')).toEqual([]);
    const constraints =
      "SELECT conname, convalidated, condeferred, pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1";
    expect(await target.rows(constraints)).toEqual(await source.rows(constraints));
    const indexes =
      "SELECT pg_get_indexdef(indexrelid) AS def, indisvalid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1";
    expect(await target.rows(indexes)).toEqual(await source.rows(indexes));
    await scene.expectEqual();
    await scene.abort();
  });
});

test('case 40: before the cutover the planner knows every table, extended statistics and partition roots too', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY, a int, b int); CREATE STATISTICS both_columns (dependencies, mcv) ON a, b FROM t;
    INSERT INTO t SELECT g, g % 10, g % 10 FROM generate_series(1, 2000) g;
    CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (1000);
    INSERT INTO log SELECT generate_series(1, 500)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const known =
      "SELECT DISTINCT tablename::text AS name FROM pg_stats WHERE schemaname = 'public' ORDER BY 1";
    expect(await target.rows(known)).toEqual([{ name: 'log' }, { name: 'log_1' }, { name: 't' }]);
    const extended =
      "SELECT dependencies IS NOT NULL AND most_common_vals IS NOT NULL AS made FROM pg_stats_ext WHERE statistics_name = 'both_columns'";
    expect(await target.rows(extended)).toEqual([{ made: true }]);
    await scene.abort();
  });
});

test('case 40: what autovacuum analyzed before the indexes were there is analyzed again, and an empty parent for its children', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id int PRIMARY KEY, a int, b int); CREATE STATISTICS both_columns (dependencies) ON a, b FROM t;
    CREATE INDEX sum_of_both ON t ((a + b));
    INSERT INTO t SELECT g, g % 10, g % 10 FROM generate_series(1, 2000) g;
    CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
    INSERT INTO child SELECT generate_series(1, 500); CREATE TABLE empty (id int PRIMARY KEY)`);
  await withScene({ source, target }, async (scene) => {
    const controller = new AbortController();
    const stopped = scene.run((migration) => migration.sync(), {
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (type === 'copy-finished') controller.abort(new Error('stopped'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped');
    await target.exec('ANALYZE t; ANALYZE child');
    // As this prints a time, the server reads it as another one, hours later: IST is Israel's, too.
    await target.exec(`ALTER DATABASE ${target.name} SET DateStyle = 'SQL, MDY';
      ALTER DATABASE ${target.name} SET TimeZone = 'Asia/Kolkata'`);
    await scene.sync();
    const extended =
      "SELECT dependencies IS NOT NULL AS made FROM pg_stats_ext WHERE statistics_name = 'both_columns'";
    expect(await target.rows(extended)).toEqual([{ made: true }]);
    const known =
      "SELECT DISTINCT tablename::text AS name FROM pg_stats WHERE tablename = 'sum_of_both' OR inherited ORDER BY 1";
    expect(await target.rows(known)).toEqual([{ name: 'parent' }, { name: 'sum_of_both' }]);
    scene.events.length = 0;
    await scene.sync();
    expect(
      scene.events.flatMap((event) =>
        event.type === 'step-finished' && event.data.step === 'analyze-target' ? [event.data.outcome] : [],
      ),
    ).toEqual(['unchanged']);
    await scene.abort();
  });
});

test('case 40: a partitioned table without partitions, or whose partitions are gone, has no statistics to wait for', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE none (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE gone (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE gone_1 PARTITION OF gone FOR VALUES FROM (1) TO (2);
    CREATE TABLE twice (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE twice_1 PARTITION OF twice FOR VALUES FROM (1) TO (2) PARTITION BY RANGE (id)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    for (const side of [target, source]) await side.exec('DROP TABLE gone_1');
    await scene.sync();
    await scene.abort();
  });
});

test('case 40: with cutover.prewarm what is cached on the old side is cached on the new one before the pause', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE EXTENSION pg_buffercache; CREATE EXTENSION pg_prewarm;
    CREATE TABLE hot (id int PRIMARY KEY, t text); INSERT INTO hot SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.rows('SELECT count(*) FROM hot');
    Object.assign(scene.settings.cutover, { prewarm: true });
    const { summary } = await scene.cutover();
    expect(summary.steps.find(({ id }) => id === 'warm-cache')?.note).toMatch(
      /^[1-9]\d* of \d+ hot relations$/,
    );
    const cached = await target.rows(
      `SELECT count(*) * 8192 = pg_relation_size('hot') AS whole FROM pg_buffercache
       WHERE relfilenode = pg_relation_filenode('hot') AND relforknumber = 0
         AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(cached).toEqual([{ whole: true }]);
    await target.exec('DROP EXTENSION pg_prewarm');
    await source.exec('DROP EXTENSION pg_prewarm');
    await scene.verify();
    await scene.rollback();
    expect(scene.events.flatMap((event) => (event.type === 'warning' ? [event.data.code] : []))).toContain(
      'not_prewarmed',
    );
    await scene.abort();
  });
});
