import { describe, expect } from 'vitest';
import type { Database } from '../../../test/support/database.ts';
import { test } from '../../../test/support/fixture.ts';
import { check, mend, troubles } from '../../../test/support/preflight.ts';
import { Connection } from '../connection.ts';
import { createLikeThisText } from '../databases.ts';

test('a target that holds something is refused, and empty again after the fix', async ({
  source,
  target,
}) => {
  await target.exec(`CREATE SCHEMA "Old App"; CREATE TABLE "Old App".a (id serial PRIMARY KEY);
    CREATE VIEW "Old App".v AS SELECT * FROM "Old App".a;
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS x; CREATE SEQUENCE s;
    CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN d AS mood; CREATE TYPE pair AS (a int);
    CREATE FUNCTION f(a int, VARIADIC b text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
    CREATE TABLE parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1);
    CREATE EXTENSION citext; CREATE SCHEMA pgglide; CREATE TABLE pgglide.installed (file text)`);
  const pair = { source, target };
  const [finding, ...more] = await troubles(pair, 'PGG180');
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ severity: 'blocker', fixOn: 'target', object: `database ${target.name}` });
  expect(finding?.fix).not.toContain('citext');
  expect(finding?.fix).not.toContain('parts_1');
  expect(await troubles(pair, 'PGG180', { scope: { schemas: ['elsewhere'] } })).toEqual([]);
  await mend(pair, finding);
  expect(await troubles(pair, 'PGG180')).toEqual([]);
});

test('what the migration itself has put there is no trouble', async ({ source, target }) => {
  const pair = { source, target };
  await target.exec(`CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA pgglide;
    CREATE TABLE pgglide.installed (file text); CREATE TABLE pgglide.migration (name text, phase text);
    INSERT INTO pgglide.migration VALUES ('other', 'syncing'), ('test', 'aborted')`);
  expect(await troubles(pair, 'PGG180')).toHaveLength(1);
  await target.exec("UPDATE pgglide.migration SET phase = 'syncing' WHERE name = 'test'");
  expect(await troubles(pair, 'PGG180')).toEqual([]);
});

test('both connection strings lead to one cluster', async ({ source, target }) => {
  expect(await troubles({ source, target: source }, 'PGG103')).toMatchObject([{ severity: 'blocker' }]);
  expect(await troubles({ source, target }, 'PGG103')).toEqual([]);
  const elsewhere = { address: { ...source.address, database: 'postgres' } };
  expect(await troubles({ source, target: elsewhere }, 'PGG103')).toHaveLength(1);
});

test('a target older than the source', async ({ source, target }) => {
  const [finding] = await troubles({ source: target, target: source }, 'PGG102');
  expect(finding).toMatchObject({
    severity: 'blocker',
    title: expect.stringMatching(/^target older than source/),
  });
  const [passed] = (await check({ source, target })).filter((one) => one.id === 'PGG102');
  expect(passed).toMatchObject({
    severity: 'ok',
    title: expect.stringMatching(/^PostgreSQL 15\.\d+ to 16\.\d+$/),
  });
});

describe('encoding and locale', () => {
  /** A second database beside the test's own. */
  const like = async (at: Database, options: string) => {
    await at.exec(`CREATE DATABASE ${at.name}_2 TEMPLATE template0 ${options}`);
    return { address: { ...at.address, database: `${at.name}_2` } };
  };

  test('case 28: bytes that nobody can convert', async ({ source, target }) => {
    const ascii = await like(source, "ENCODING SQL_ASCII LOCALE 'C'");
    const latin = await like(target, "ENCODING LATIN1 LOCALE 'C'");
    try {
      expect(await troubles({ source: ascii, target }, 'PGG105')).toMatchObject([{ severity: 'blocker' }]);
      expect(await troubles({ source, target: latin }, 'PGG105')).toMatchObject([{ severity: 'blocker' }]);
      expect(await troubles({ source: latin, target: source }, 'PGG105')).toMatchObject([
        { severity: 'note' },
      ]);
    } finally {
      await source.exec(`DROP DATABASE ${source.name}_2 WITH (FORCE)`);
      await target.exec(`DROP DATABASE ${target.name}_2 WITH (FORCE)`);
    }
  });

  test('case 29: another collation provider, and ranges of text under it', async ({ source, target }) => {
    await source.exec(
      'CREATE TABLE t (k text) PARTITION BY RANGE (k); CREATE TABLE c (k text COLLATE "C") PARTITION BY RANGE (k)',
    );
    const icu = await like(target, "LOCALE_PROVIDER icu ICU_LOCALE 'de' ICU_RULES '&V << w' LOCALE 'C'");
    try {
      const pair = { source, target: icu };
      expect(await troubles(pair, 'PGG106')).toMatchObject([
        {
          severity: 'warning',
          title: expect.stringMatching(/^locale is libc .* on the source and icu de with rules &V << w /),
        },
      ]);
      await using session = await Connection.open(icu.address, { purpose: 'test' });
      expect(await createLikeThisText(session, 'x')).toMatch(/ICU_LOCALE 'de' ICU_RULES '&V << w';$/);
      expect(await troubles(pair, 'PGG143')).toMatchObject([{ object: 'public.t' }]);
      expect(await troubles({ source, target }, 'PGG143')).toEqual([]);
    } finally {
      await target.exec(`DROP DATABASE ${target.name}_2 WITH (FORCE)`);
    }
  });
});
