import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { exportSnapshot } from '../postgres/snapshot.ts';
import { sql } from '../postgres/sql.ts';
import { planTables } from '../schema/plan-tables.ts';
import type { DifferingRow, Verification } from './verification.ts';
import { type VerifyPinnedOptions, verifyPinned } from './verify-pinned.ts';

type Choices = Partial<Omit<VerifyPinnedOptions, 'source' | 'target'>>;

async function verify(source: Database, target: Database, choices: Choices = {}): Promise<Verification> {
  await using onSource = await Connection.open(source.address, { purpose: 'test' });
  await using onTarget = await Connection.open(target.address, { purpose: 'test' });
  return await verifyPinned({
    source: { address: source.address, snapshot: await exportSnapshot(onSource) },
    target: { address: target.address, snapshot: await exportSnapshot(onTarget) },
    tables: choices.tables ?? (await planTables(source.connection)).tables,
    ...choices,
  });
}

const onBoth = (source: Database, target: Database, text: string) =>
  Promise.all([source.exec(text), target.exec(text)]);

const short = (rows: readonly DifferingRow[]) =>
  rows.map(({ kind, key, columns }) => [
    kind,
    key.map(({ value }) => value).join(),
    columns.map(({ name, source, target }) => `${name}: ${source} <> ${target}`).join('; '),
  ]);

test('equal tables are equal, and counted', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE a (id bigint PRIMARY KEY, note text);
     INSERT INTO a SELECT n, 'note ' || n FROM generate_series(1, 5000) n;
     CREATE TABLE empty (id int PRIMARY KEY)`,
  );
  const progress: number[] = [];
  const { summary, differingRows } = await verify(source, target, {
    onProgress: ({ tablesDone, tables, rows }) => progress.push(tablesDone, tables, rows),
  });
  expect(summary).toMatchObject({ mode: 'pinned', equal: true });
  expect(summary.tables.map(({ table, sourceRows, targetRows }) => [table, sourceRows, targetRows])).toEqual([
    ['public.a', 5000, 5000],
    ['public.empty', 0, 0],
  ]);
  expect(differingRows).toEqual([]);
  expect(progress.slice(-3)).toEqual([2, 2, 5000]);
});

test('changed, missing and surplus rows are named with both sides’ values', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE a (region text, id int, note text, PRIMARY KEY (region, id));
     INSERT INTO a SELECT 'r', n, 'note ' || n FROM generate_series(1, 50000) n`,
  );
  await source.exec(`DELETE FROM a WHERE id = 40000`);
  await target.exec(`DELETE FROM a WHERE id = 7; UPDATE a SET note = NULL WHERE id = 25000`);
  const { summary, differingRows } = await verify(source, target);
  expect(summary).toMatchObject({ equal: false, tables: [{ sourceRows: 49_999, targetRows: 49_999 }] });
  expect(short(differingRows)).toEqual([
    ['changed', 'r,25000', 'note: note 25000 <> null'],
    [
      'missing-on-source',
      'r,40000',
      'region: undefined <> r; id: undefined <> 40000; note: undefined <> note 40000',
    ],
    ['missing-on-target', 'r,7', 'region: r <> undefined; id: 7 <> undefined; note: note 7 <> undefined'],
  ]);
});

test('values swapped between rows, and pairs of equal rows, do not cancel out', async ({
  source,
  target,
}) => {
  await onBoth(source, target, 'CREATE TABLE swapped (id int PRIMARY KEY, a int, b text)');
  await onBoth(source, target, 'CREATE TABLE twins (a int, b text)');
  await source.exec(`INSERT INTO swapped VALUES (1, 1, 'x'), (2, 2, 'y')`);
  await target.exec(`INSERT INTO swapped VALUES (1, 1, 'y'), (2, 2, 'x')`);
  await source.exec(`INSERT INTO twins VALUES (1, 'x'), (1, 'x'), (3, 'z')`);
  await target.exec(`INSERT INTO twins VALUES (2, 'y'), (2, 'y'), (3, 'z')`);
  const { summary, differingRows } = await verify(source, target);
  expect(summary.tables.map(({ table, equal }) => [table, equal])).toEqual([
    ['public.swapped', false],
    ['public.twins', false],
  ]);
  expect(short(differingRows)).toEqual([
    ['changed', '1', 'b: x <> y'],
    ['changed', '2', 'b: y <> x'],
    ['missing-on-target', '', 'a: 1 <> undefined; b: x <> undefined'],
    ['missing-on-source', '', 'a: undefined <> 2; b: undefined <> y'],
  ]);
  expect(differingRows.map(({ copies }) => copies)).toEqual([1, 1, 2, 2]);
});

test('one copy more of a row in a table without a key is found', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE log (line text, at int); INSERT INTO log SELECT 'same', n % 3 FROM generate_series(1, 9000) n`,
  );
  await source.exec(`INSERT INTO log VALUES ('same', 1)`);
  await target.exec(`INSERT INTO log VALUES ('same', 2)`);
  const { summary, differingRows } = await verify(source, target);
  expect(summary).toMatchObject({ equal: false, tables: [{ sourceRows: 9001, targetRows: 9001 }] });
  expect(differingRows.map(({ kind, copies }) => [kind, copies])).toEqual([
    ['missing-on-target', 1],
    ['missing-on-source', 1],
  ]);
});

test('tables of every shape: no columns, dropped and generated ones, 1,600, another order, another type', async ({
  source,
  target,
}) => {
  const wide = Array.from({ length: 1600 }, (_, index) => `c${index} float8`).join(', ');
  await onBoth(
    source,
    target,
    `CREATE TABLE none (); INSERT INTO none SELECT FROM generate_series(1, 3);
     CREATE TABLE wide (${wide}); INSERT INTO wide (c0, c1599) VALUES (1, 2), (NULL, 3)`,
  );
  await source.exec(`
    CREATE TABLE altered (gone text, id int PRIMARY KEY, a int, doubled int GENERATED ALWAYS AS (a * 2) STORED, b text);
    INSERT INTO altered (gone, id, a, b) VALUES ('x', 1, 2, 'b');
    ALTER TABLE altered DROP COLUMN gone`);
  await target.exec(`
    CREATE TABLE altered (b varchar(9), a bigint, id int PRIMARY KEY, doubled int);
    INSERT INTO altered (id, a, b) VALUES (1, 2, 'b')`);
  expect(await verify(source, target)).toMatchObject({ summary: { equal: true }, differingRows: [] });

  await target.exec(
    `UPDATE wide SET c1599 = 4 WHERE c0 = 1; UPDATE altered SET a = 3; INSERT INTO none DEFAULT VALUES`,
  );
  const { summary } = await verify(source, target);
  expect(summary.tables.map(({ equal }) => equal)).toEqual([false, false, false]);
});

test('a partition tree is compared at its root, an inheritance parent without its children', async ({
  source,
  target,
}) => {
  await target.exec(`CREATE TYPE other AS ENUM ()`);
  await onBoth(
    source,
    target,
    `CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
     CREATE TABLE tree (id int, mood mood, PRIMARY KEY (id, mood)) PARTITION BY HASH (mood);
     CREATE TABLE tree_0 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 0);
     CREATE TABLE tree_1 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 1);
     INSERT INTO tree SELECT n, m FROM generate_series(1, 50) n, unnest(enum_range(NULL::mood)) m;
     CREATE TABLE leafless (id int PRIMARY KEY) PARTITION BY LIST (id);
     CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
     INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)`,
  );
  const { summary } = await verify(source, target);
  expect(summary.equal).toBe(true);
  expect(Object.fromEntries(summary.tables.map(({ table, sourceRows }) => [table, sourceRows]))).toEqual({
    'public.tree': 400,
    'public.leafless': 0,
    'public.parent': 1,
    'public.child': 1,
  });

  await target.exec(`UPDATE child SET id = 3; UPDATE tree SET id = 99 WHERE id = 1 AND mood = 'h'`);
  const changed = await verify(source, target);
  expect(short(changed.differingRows).map(([kind, key]) => [kind, key])).toEqual([
    ['missing-on-target', '2'],
    ['missing-on-source', '3'],
    ['missing-on-target', '1,h'],
    ['missing-on-source', '99,h'],
  ]);
});

test('hostile names', async ({ source, target }) => {
  const table = `"we ird"."Foo"".Bar"`;
  await onBoth(
    source,
    target,
    `CREATE SCHEMA "we ird";
     CREATE TABLE ${table} ("Column $1 ' %s" text PRIMARY KEY, "t" int, "r" int, "h0" int, "k0" int, " " int);
     INSERT INTO ${table} VALUES (E'it''s\\n{"a",\\\\b}', 1, 2, 3, 4)`,
  );
  expect((await verify(source, target)).summary.equal).toBe(true);
  await target.exec(`UPDATE ${table} SET h0 = 5`);
  expect(short((await verify(source, target)).differingRows)).toEqual([
    ['changed', `it's\n{"a",\\b}`, 'h0: 3 <> 5'],
  ]);
});

test('the snapshots decide, not what was written since', async ({ source, target }) => {
  await onBoth(source, target, 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)');
  await using onSource = await Connection.open(source.address, { purpose: 'test' });
  await using onTarget = await Connection.open(target.address, { purpose: 'test' });
  const snapshots = { source: await exportSnapshot(onSource), target: await exportSnapshot(onTarget) };
  await target.exec('INSERT INTO a VALUES (2)');
  const { summary } = await verifyPinned({
    source: { address: source.address, snapshot: snapshots.source },
    target: { address: target.address, snapshot: snapshots.target },
    tables: (await planTables(source.connection)).tables,
    jobs: 3,
  });
  expect(summary.tables).toMatchObject([{ equal: true, targetRows: 1 }]);
});

/** Of a file that ALTER TABLE wrote an older snapshot shows no row: nothing would be equal to nothing. */
test('a table that is rewritten on both sides after the snapshots is not called equal', async ({
  source,
  target,
}) => {
  const tables = 'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE bare (n int); CREATE TABLE kept (n int)';
  await onBoth(source, target, `${tables}; INSERT INTO a VALUES (1); INSERT INTO kept VALUES (1)`);
  await source.exec('INSERT INTO a VALUES (2)');
  await using onSource = await Connection.open(source.address, { purpose: 'test' });
  await using onTarget = await Connection.open(target.address, { purpose: 'test' });
  const snapshots = { source: await exportSnapshot(onSource), target: await exportSnapshot(onTarget) };
  await onBoth(source, target, 'ALTER TABLE a ALTER id TYPE int USING id + 0');
  for (const { connection } of [source, target]) await connection.script(sql`VACUUM FULL public.kept`);
  const { summary } = await verifyPinned({
    source: { address: source.address, snapshot: snapshots.source },
    target: { address: target.address, snapshot: snapshots.target },
    tables: (await planTables(source.connection)).tables,
  });
  expect(summary.equal).toBe(false);
  expect(summary.tables.map(({ table, equal }) => [table, equal])).toEqual([
    ['public.a', false],
    ['public.bare', true],
    ['public.kept', true],
  ]);
});

test('a snapshot that is gone, a table or column that is missing: said, not guessed', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE a (id int PRIMARY KEY, b int)');
  await expect(verify(source, target)).rejects.toMatchObject({ code: 'table_missing', exitCode: 5 });
  await target.exec('CREATE TABLE a (id int PRIMARY KEY)');
  await expect(verify(source, target)).rejects.toMatchObject({ code: 'column_missing', exitCode: 5 });
  const gone = { address: source.address, snapshot: '00000003-0000001B-1' };
  await expect(
    verifyPinned({ source: gone, target: { ...gone, address: target.address }, tables: [] }),
  ).rejects.toMatchObject({ code: 'snapshot_gone', exitCode: 3 });
});

test('a stop is heeded', async ({ source, target }) => {
  await onBoth(source, target, 'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)');
  const stop = new AbortController();
  const stopped = verify(source, target, {
    signal: stop.signal,
    jobs: 1,
    onProgress: () => stop.abort(new Error('stopped by the user')),
  });
  await expect(stopped).rejects.toThrow('stopped by the user');
});

test('a large value is compared whole and shown as its hash', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE a (id int PRIMARY KEY, v text);
     INSERT INTO a SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 90000) n`,
  );
  expect((await verify(source, target)).summary.equal).toBe(true);
  await target.exec(`UPDATE a SET v = v || 'x'`);
  const [row] = (await verify(source, target)).differingRows;
  expect(row?.columns.map(({ name }) => name)).toEqual(['v']);
  expect(row?.columns[0]?.source).toMatch(/^\(large value, hash [0-9a-f]+\)$/);
});

test('so is one that is large only once it is no longer compressed', async ({ source, target }) => {
  await onBoth(source, target, 'CREATE TABLE t (id int PRIMARY KEY, doc text, data bytea)');
  const insert = (mark: string) =>
    `INSERT INTO t VALUES (1, repeat('a', 2000000) || '${mark}', decode(repeat('ab', 2000000), 'hex') || '${mark}')`;
  await source.exec(insert('1'));
  await target.exec(insert('2'));
  const [row] = (await verify(source, target)).differingRows;
  expect(row?.columns.map(({ name }) => name)).toEqual(['doc', 'data']);
  for (const { source: shown } of row?.columns ?? [])
    expect(shown).toMatch(/^\(large value, hash [0-9a-f]+\)$/);
});
