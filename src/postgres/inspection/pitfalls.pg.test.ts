import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { mend, troubles } from '../../../test/support/preflight.ts';

test('a check whose function reads a table is found, whatever its language; NOT VALID it is fine', async ({
  source,
  target,
}) => {
  const pair = { source, target };
  await source.exec(`CREATE TABLE parent (id int PRIMARY KEY);
    CREATE FUNCTION "Has"(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.parent WHERE id = $1)';
    CREATE FUNCTION atomic(int) RETURNS bool STABLE LANGUAGE sql RETURN EXISTS (SELECT FROM parent WHERE id = $1);
    CREATE FUNCTION plain(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0';
    CREATE TABLE child (id int PRIMARY KEY, a int CONSTRAINT "a!" CHECK ("Has"(a)), b int CHECK (atomic(b)), c int CHECK (plain(c)))`);
  const found = await troubles(pair, 'PGG187');
  expect(found.map(({ title }) => title)).toEqual([
    expect.stringContaining('a! on public.child calls Has, which reads parent'),
    expect.stringContaining('child_b_check on public.child calls atomic, which reads parent'),
  ]);
  for (const finding of found) await mend(pair, finding);
  expect(await troubles(pair, 'PGG187')).toEqual([]);
});

test('an unvalidated constraint of a domain is found and validated', async ({ source, target }) => {
  const pair = { source, target };
  await source.exec(`CREATE DOMAIN "D" AS int; CREATE TABLE t (id int PRIMARY KEY, d "D");
    ALTER DOMAIN "D" ADD CONSTRAINT pos CHECK (VALUE > 0) NOT VALID`);
  const [finding] = await troubles(pair, 'PGG188');
  expect(finding).toMatchObject({ severity: 'warning', object: 'public."D"' });
  await mend(pair, finding);
  expect(await troubles(pair, 'PGG188')).toEqual([]);
});

test('settings of the database by which a worker reads values are found on both sides', async ({
  source,
  target,
}) => {
  const pair = { source, target };
  await source.exec(`ALTER DATABASE ${source.name} SET xmloption = 'document'; ALTER DATABASE ${source.name} SET array_nulls = off;
    ALTER DATABASE ${source.name} SET client_encoding = 'LATIN1'; CREATE TABLE t (id int PRIMARY KEY)`);
  expect(await troubles(pair, 'PGG189')).toEqual([]);
  await source.exec('ALTER TABLE t ADD x xml, ADD a int[], ADD "größe" int');
  const found = await troubles(pair, 'PGG189');
  expect(found.map(({ object, fixOn }) => [object, fixOn])).toEqual([
    ['xmloption', 'source'],
    ['array_nulls', 'source'],
    ['client_encoding', 'source'],
    ['xmloption', 'target'],
    ['array_nulls', 'target'],
    ['client_encoding', 'target'],
  ]);
  for (const finding of found) await mend(pair, finding);
  expect(await troubles(pair, 'PGG189')).toEqual([]);
});

test('equal values that are not the same are found where no key tells the rows apart', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE EXTENSION citext; CREATE DOMAIN weight AS numeric;
    CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    CREATE TABLE t (a citext, b numeric, c numeric(5, 2), d float8[], e text, f text COLLATE loose, g weight, h jsonb, i int);
    CREATE TABLE keyed (a citext, id int PRIMARY KEY); CREATE TABLE plain (a text, b int);
    ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE keyed REPLICA IDENTITY FULL; ALTER TABLE plain REPLICA IDENTITY FULL`);
  const found = await troubles({ source, target }, 'PGG148');
  expect(found.map(({ object, title }) => [object, title.split(': ')[1]])).toEqual([
    ['public.t', 'a, b, d, f, g, h'],
  ]);
});

test('a child whose columns pg_dump reorders is found', async ({ source, target }) => {
  await source.exec(`CREATE TABLE p (id int, a int); CREATE TABLE made (b int) INHERITS (p);
    CREATE TABLE attached (b int, a int, id int); ALTER TABLE attached INHERIT p`);
  const found = await troubles({ source, target }, 'PGG149');
  expect(found.map(({ object, title }) => [object, title])).toEqual([
    ['public.attached', expect.stringContaining('id, a, b, and here b, a, id')],
  ]);
});
