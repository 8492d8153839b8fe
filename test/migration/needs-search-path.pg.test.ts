import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const NEEDS_IT = `CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE FUNCTION slug(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN norm($1); END'`;

test('a table that cannot be analyzed is told, and does not end the sync', async ({ source, target }) => {
  await source.exec(`${NEEDS_IT}; CREATE TABLE t (id int PRIMARY KEY, v text); CREATE STATISTICS st ON (slug(v)) FROM t;
    CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO t VALUES (1, 'x'); INSERT INTO fine VALUES (1)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const warnings = scene.events.filter((event) => event.type === 'warning').map(({ data }) => data);
    expect(warnings.filter(({ code }) => code === 'not_analyzed')).toMatchObject([
      { message: expect.stringContaining('public.t'), hint: expect.stringContaining('SET search_path') },
    ]);
    expect(await target.rows("SELECT reltuples FROM pg_class WHERE relname = 'fine'")).toEqual([
      { reltuples: 1 },
    ]);
    await scene.abort();
  });
});

test('a copy that fails for want of a search_path says so', async ({ source, target }) => {
  await source.exec(`${NEEDS_IT}; CREATE TABLE t (v text) PARTITION BY LIST (slug(v)); CREATE TABLE t1 PARTITION OF t DEFAULT;
    ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t1 REPLICA IDENTITY FULL; INSERT INTO t VALUES ('x')`);
  await withScene({ source, target }, async (scene) => {
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'copy_failed',
      hint: expect.stringContaining('SET search_path'),
    });
    await scene.abort();
  });
});
