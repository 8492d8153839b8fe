import { expect } from 'vitest';
import { type Database, TestDatabase } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { exportSnapshot } from '../postgres/snapshot.ts';
import { trusted } from '../postgres/sql.ts';
import { planTables } from '../schema/plan-tables.ts';
import { verifyPinned } from './verify-pinned.ts';

/** Column type, a value, and another one that must not pass for it. */
const MATRIX: readonly (readonly [type: string, value: string, other: string])[] = [
  ['boolean', 'true', 'false'],
  ['smallint', '5', '-5'],
  ['integer', '5', '-5'],
  ['smallint', '0', 'NULL'],
  ['integer', '0', 'NULL'],
  ['oid', '0', 'NULL'],
  ['oid', '4000000000', '4'],
  // Equal to PostgreSQL's own hash of a bigint.
  ['bigint', '0', '4294967297'],
  ['bigint', '-1', '4294967296'],
  ['numeric', '5', '-5'],
  ['numeric', '1.0', '1.00'],
  ['numeric', `'NaN'`, `'Infinity'`],
  ['numeric(12,2)', '1.50', '1.51'],
  ['real', `'-0'`, '0'],
  ['double precision', '0', `'-0'`],
  ['double precision', `'NaN'`, `'-Infinity'`],
  ['double precision', '0.1', '0.10000000000000002'],
  ['money', '1.5::numeric::money', '1.6::numeric::money'],
  ['text', `''`, 'NULL'],
  ['text', `'NULL'`, 'NULL'],
  ['text', `'a'`, `'a '`],
  ['varchar(10)', `'a'`, `'a '`],
  ['char(5)', `'a'`, `'b'`],
  ['bpchar', `'a'`, `'a '`],
  ['name', `'a'`, `'b'`],
  ['"char"', `'a'`, `'b'`],
  // Prints as a byte before PostgreSQL 15, as a backslash and octal digits since.
  ['"char"', '(-61)::int::"char"', `'a'`],
  ['bytea', `'\\x00'`, `'\\x0000'`],
  ['date', `'infinity'`, `'-infinity'`],
  ['date', `'0044-03-15 BC'`, `'0044-03-15'`],
  ['time', `'24:00'`, `'00:00'`],
  ['timetz', `'12:00+00'`, `'13:00+01'`],
  ['timestamp', `'infinity'`, `'2020-01-01'`],
  ['timestamptz', `'2020-01-01 00:00:00.000001+00'`, `'2020-01-01 00:00:00+00'`],
  ['interval', `'1 month'`, `'30 days'`],
  ['interval', `'1 day'`, `'24 hours'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'`],
  ['inet', `'10.0.0.1/8'`, `'10.0.0.1/9'`],
  ['cidr', `'10.0.0.0/8'`, `'10.0.0.0/9'`],
  ['macaddr', `'08:00:2b:01:02:03'`, `'08:00:2b:01:02:04'`],
  ['macaddr8', `'08:00:2b:01:02:03:04:05'`, `'08:00:2b:01:02:03:04:06'`],
  ['bit(3)', `B'101'`, `B'100'`],
  ['varbit', `B'1'`, `B'10'`],
  ['jsonb', `'{"a": 1}'`, `'{"a": -1}'`],
  ['jsonb', `'{"a": 1.0}'`, `'{"a": 1.00}'`],
  ['json', `'{"a": 1, "b": 2}'`, `'{"b": 2, "a": 1}'`],
  ['xml', `'<a/>'`, `'<a></a>'`],
  ['hstore', `'a=>1'`, `'a=>NULL'`],
  ['ltree', `'a.b'`, `'a.c'`],
  ['citext', `'a'`, `'A'`],
  ['tsvector', `'a:1'`, `'a:2'`],
  ['tsquery', `'a & b'`, `'a | b'`],
  ['pg_lsn', `'0/1'`, `'1/0'`],
  ['oid', '1', '2'],
  ['regclass', `'pg_class'`, `'pg_type'`],
  ['regclass', `'named'`, 'NULL'],
  ['point', `'(1,2)'`, `'(1,3)'`],
  ['box', `'((0,0),(1,1))'`, `'((0,0),(1,2))'`],
  ['polygon', `'((0,0),(1,1),(1,0))'`, `'((0,0),(1,1),(2,0))'`],
  ['int4range', `'[1,5)'`, `'[1,6)'`],
  ['numrange', `'[1.0,2)'`, `'[1.00,2)'`],
  ['int4range', `'empty'`, `'(,)'`],
  ['int4multirange', `'{[1,2),[5,6)}'`, `'{[1,2),[5,7)}'`],
  ['int[]', `'{1,2}'`, `'[2:3]={1,2}'`],
  ['int[]', `'{1,NULL}'`, `'{1,0}'`],
  ['int[]', `'{{1,2}}'`, `'{1,2}'`],
  ['int[]', `'{}'`, 'NULL'],
  ['text[]', `'{"a,b"}'`, `'{a,b}'`],
  ['mood', `'happy'`, `'sad'`],
  ['mood[]', `'{happy}'`, `'{sad}'`],
  ['mood_domain', `'happy'`, `'sad'`],
  ['amount', '1.0', '1.00'],
  ['amounts', `'{1,2}'`, `'[0:1]={1,2}'`],
  ['word', `'a'`, `'b'`],
  ['pair', `'(1,x)'`, `'(1,y)'`],
  ['pair', `'(,)'`, 'NULL'],
  ['pair', `'(1,"")'`, `'(1,)'`],
  ['pair[]', `'{"(1,x)"}'`, `'{"(2,x)"}'`],
  ['span', `'[1,2]'`, `'[1,3]'`],
  ['text COLLATE nondet', `'a'`, `'A'`],
];

const TYPES = `
  CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext;
  CREATE TYPE mood AS ENUM ('happy', 'sad');
  CREATE DOMAIN mood_domain AS mood;
  CREATE DOMAIN amount AS numeric CHECK (VALUE > 0);
  CREATE DOMAIN amounts AS int[];
  CREATE DOMAIN word AS text;
  CREATE TYPE pair AS (a int, b text);
  CREATE TYPE span AS RANGE (subtype = float8);
  CREATE COLLATION nondet (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TABLE named ()`;

type Matrix = typeof MATRIX;
const WITHOUT_MULTIRANGES = MATRIX.filter(([type]) => !type.includes('multirange'));

/** Row n holds the value in every column: one row for each column, that the test may change. */
function tableOf(matrix: Matrix): string {
  const columns = matrix.map(([type], index) => `c${index} ${type}`).join(', ');
  const values = matrix.map(([, value]) => value).join(', ');
  return `CREATE TABLE m (id int PRIMARY KEY, ${columns});
    INSERT INTO m SELECT n, ${values} FROM generate_series(0, ${matrix.length - 1}) n;
    INSERT INTO m (id) VALUES (-1)`;
}

async function verify(source: Database, target: Database, bits: 64 | 128 = 64) {
  await using onSource = await Connection.open(source.address, { purpose: 'test' });
  await using onTarget = await Connection.open(target.address, { purpose: 'test' });
  return await verifyPinned({
    source: { address: source.address, snapshot: await exportSnapshot(onSource) },
    target: { address: target.address, snapshot: await exportSnapshot(onTarget) },
    tables: (await planTables(source.connection)).tables,
    maxRowsShown: 1000,
    bits,
  });
}

/** OIDs of user types, and what sessions of a user print, differ between the sides. */
async function fill(source: Database, target: Database, matrix = MATRIX): Promise<void> {
  await target.exec('CREATE TYPE first AS ENUM (); CREATE TABLE second ()');
  await Promise.all([source.exec(TYPES), target.exec(TYPES)]);
  await Promise.all([source, target].map((side) => side.exec(tableOf(matrix))));
  await target.exec('DROP TABLE second; DROP TYPE first');
  await target.exec(`ALTER DATABASE ${target.name} SET TimeZone = 'Asia/Tokyo';
    ALTER DATABASE ${target.name} SET DateStyle = 'German';
    ALTER DATABASE ${target.name} SET IntervalStyle = 'sql_standard';
    ALTER DATABASE ${target.name} SET bytea_output = 'escape';
    ALTER DATABASE ${target.name} SET extra_float_digits = 0;
    ALTER DATABASE ${target.name} SET search_path = public`);
}

for (const bits of [64, 128] as const) {
  test(`type matrix, ${bits} bits: equal values are equal, whatever the sessions' settings`, async ({
    source,
    target,
  }) => {
    await fill(source, target);
    const { summary, differingRows } = await verify(source, target, bits);
    expect(differingRows).toEqual([]);
    expect(summary.equal).toBe(true);
    expect(summary.tables.map(({ fingerprint }) => fingerprint.length)).toEqual(
      summary.tables.map(() => bits / 4),
    );
  });
}

/** Every row of the target changed in one column, its own. */
async function changeAndCompare(source: Database, target: Database, matrix: Matrix): Promise<void> {
  for (const [index, [, , other]] of matrix.entries()) {
    await target.exec(`UPDATE m SET c${index} = ${other} WHERE id = ${index}`);
  }
  const { summary, differingRows } = await verify(source, target);
  expect(summary.equal).toBe(false);
  const found = differingRows.map(({ key, kind, columns }) => ({
    row: Number(key[0]?.value),
    kind,
    columns: columns.map(({ name }) => name),
  }));
  expect(found.sort((a, b) => a.row - b.row)).toEqual(
    matrix.map((_, index) => ({ row: index, kind: 'changed', columns: [`c${index}`] })),
  );
}

test('type matrix: every single changed value is found, and named', async ({ source, target }) => {
  await fill(source, target);
  await changeAndCompare(source, target, MATRIX);
});

test('type matrix from PostgreSQL 13, which hashes no records: by text', async ({ target, ownServers }) => {
  const [server] = await ownServers([13]);
  if (server === undefined) throw new Error('no server');
  const old = await TestDatabase.create({ majorVersion: 13, address: server.address() }, 'old');
  await fill(old, target, WITHOUT_MULTIRANGES);
  expect(await verify(old, target)).toMatchObject({ summary: { equal: true }, differingRows: [] });
  await changeAndCompare(old, target, WITHOUT_MULTIRANGES);
  await old.close();
  await old.drop();
});

test('databases of different encodings are compared by their characters', async ({ source, target }) => {
  const name = `${source.name}_latin1`;
  await source.exec(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'`);
  const latin1 = { ...source, address: { ...source.address, database: name } };
  {
    await using inside = await Connection.open(latin1.address, { purpose: 'test' });
    const text = `CREATE TYPE public.word AS ENUM ('\u00e9');
      CREATE TABLE public.t (id text PRIMARY KEY, v varchar(5), c char(5), n name, w public.word, j json, b jsonb, a text[], y bytea);
      INSERT INTO public.t VALUES ('\u00fc', '\u00e9', '\u00e9', '\u00e9', '\u00e9', '{"\u00e9": 1}', '{"\u00e9": 1}', '{\u00e9}', '\\xe9')`;
    await inside.script(trusted(text));
    await target.exec(text);
    const reading = { ...latin1, connection: inside };
    expect(await verify(reading as Database, target)).toMatchObject({ summary: { equal: true } });
    await target.exec(`UPDATE t SET a = '{e}'`);
    const { differingRows } = await verify(reading as Database, target);
    expect(differingRows).toMatchObject([
      { key: [{ value: '\u00fc' }], columns: [{ name: 'a', source: '{\u00e9}', target: '{e}' }] },
    ]);
  }
  await source.exec(`DROP DATABASE ${name}`);
});
