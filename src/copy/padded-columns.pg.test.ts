/** char(n) travels without its padding, and arrives as it was. */

import { expect } from 'vitest';
import { copyBed } from '../../test/support/copy-bed.ts';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';

const TABLES = `
  CREATE DOMAIN public.code AS char(40) CHECK (octet_length(VALUE) >= 40);
  CREATE TABLE public.mixed (
    id int, name char(60), "Odd ""Name" char(30), exact char(32), short char(5), loose bpchar, code public.code);
  CREATE TABLE public.tree (id int, name char(60)) PARTITION BY RANGE (id);
  CREATE TABLE public.leaf PARTITION OF public.tree FOR VALUES FROM (0) TO (1000000)`;

/** Large enough to be looked at, and to be cut in ranges, with every kind of end a value may have. */
const ROWS = `
  INSERT INTO public.mixed SELECT i, 'n' || i, '', md5(i::text), 'a', 'b  ', 'c' FROM generate_series(1, 100000) i;
  INSERT INTO public.mixed SELECT 0, v, v, v, NULL, v, v FROM (VALUES
    (''), ('a'), (' a'), ('a  b '), (E'tab\\t'), (E'line\\n'), (E'nbsp\\u00a0'), (E'wide\\u3000'), ('é漢😀'), ('é漢😀  '),
    (repeat('x', 30)), (repeat('漢', 30))) AS ends (v);
  INSERT INTO public.mixed (id) VALUES (NULL);
  INSERT INTO public.tree SELECT i, 'n' || i FROM generate_series(1, 200000) i`;

const contents = (database: Database, table: string) =>
  database.rows(`SELECT count(*)::int AS rows, sum(hashtextextended(t::text, 0)) AS hash FROM ${table} t`);

test('columns that are mostly padding arrive with it, whatever they end in', async ({ source, target }) => {
  await source.exec(`${TABLES}; ${ROWS}`);
  await target.exec(TABLES);
  await using bed = await copyBed(source, target);
  expect(Object.fromEntries(bed.parts.map(({ table, unpadded }) => [table.name, unpadded]))).toEqual({
    mixed: ['name', 'Odd "Name'],
    tree: ['name'],
  });
  await bed.run();
  for (const table of ['public.mixed', 'public.tree'])
    expect(await contents(target, table)).toEqual(await contents(source, table));
  const lengths = `SELECT DISTINCT char_length(name || '|')::int - 1 AS trimmed, octet_length(name) >= 60 AS padded
    FROM public.mixed WHERE id = 0 ORDER BY 1`;
  expect(await target.rows(lengths)).toEqual(await source.rows(lengths));
});

test('a target whose column is of another length or type gets the values as they are', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE public.a (v char(60)); CREATE TABLE public.b (v char(60));
    INSERT INTO public.a SELECT i FROM generate_series(1, 200000) i; INSERT INTO public.b TABLE public.a`);
  await target.exec('CREATE TABLE public.a (v text); CREATE TABLE public.b (v char(70))');
  await using bed = await copyBed(source, target);
  expect(bed.parts.map(({ unpadded }) => unpadded)).toEqual(bed.parts.map(() => undefined));
  await bed.run();
  expect(await target.rows('SELECT DISTINCT octet_length(v) AS bytes FROM public.a')).toEqual([
    { bytes: 60 },
  ]);
});

test('a small table is not looked at', async ({ source, target }) => {
  const table = 'CREATE TABLE public.small (v char(60))';
  await source.exec(`${table}; INSERT INTO public.small VALUES ('a')`);
  await target.exec(table);
  await using bed = await copyBed(source, target);
  expect(bed.parts.map(({ unpadded }) => unpadded)).toEqual([undefined]);
  await bed.run();
  expect(await target.rows('SELECT octet_length(v) AS bytes FROM public.small')).toEqual([{ bytes: 60 }]);
});
