import { expect } from 'vitest';
import { copyBed } from '../../test/support/copy-bed.ts';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { ident, literal, sql, trusted } from '../postgres/sql.ts';

/** Both sides' rows as text under the same settings, which must be equal. */
async function expectEqual(source: Database, target: Database, table: string): Promise<void> {
  const pinned = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET lc_monetary = 'C'`;
  const rows = async (database: Database) => {
    await database.exec(pinned);
    return database.rows(`SELECT t::text AS row FROM ${table} t ORDER BY t::text COLLATE "C"`);
  };
  const before = await rows(source);
  expect(before.length).toBeGreaterThan(0);
  expect(await rows(target)).toEqual(before);
}

const formats = (bed: { parts: readonly { table: { name: string }; format: string }[] }) =>
  Object.fromEntries(bed.parts.map((part) => [part.table.name, part.format]));

/** OIDs of types made on the target differ from the source's, as they do between clusters. */
const shiftOids = "CREATE TYPE earlier AS ENUM ('x'); CREATE TYPE another AS (a int)";

test('the type matrix round-trips', async ({ source, target }) => {
  const columns: Readonly<Record<string, readonly string[]>> = {
    float8: ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", '1e-307', 'NULL'],
    float4: ["'NaN'", '1.17549435e-38', '0.1'],
    numeric: ["'NaN'", "'Infinity'", '1.0', '1.00', '1e-1000', "repeat('9', 1000)::numeric"],
    date: ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'2024-02-29'"],
    timestamp: ["'infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'"],
    timestamptz: ["'-infinity'", "'2024-03-31 02:30:00.123456+02'"],
    time: ["'24:00'", "'00:00:00.000001'"],
    timetz: ["'24:00-15:59'", "'12:00+02'"],
    interval: ["'-1 year +2 days -3:04:05.678'", "'178000000 years'"],
    'char(5)': ["'a'", "'ab   '", "''"],
    text: ["''", 'NULL', "E'a\\tb\\nc\\\\d'", "'é漢😀'"],
    jsonb: [`'{"b": 1, "a": [null, 1.50]}'`, "'null'"],
    json: [`'{"b": 1,  "a": 1, "a": 2}'`],
    tsvector: [`'a:1A,2B fat:3 cat'`],
    tsquery: [`'fat & !(cat | rat:*)'`],
    'bit(3)': ["B'101'"],
    varbit: ["B''", "B'1010101010101'"],
    inet: ["'10.1.2.3/8'", "'::1'"],
    cidr: ["'10.0.0.0/8'"],
    macaddr8: ["'08:00:2b:01:02:03:04:05'"],
    int4range: ["'empty'", "'[1,10)'", "'(,5]'"],
    tstzmultirange: ["'{}'", "'{[2020-01-01,2021-01-01),[2022-01-01,)}'"],
    'int4[]': ["'{}'", "'[-1:1]={1,NULL,3}'", "'{{1,2},{3,4}}'"],
    'text[]': [`'{"a,b","",NULL,"\\"q\\""}'`],
    bytea: ["'\\x00ff5c'", "''"],
    uuid: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    money: ["'12345.67'", "'-0.01'"],
    xml: ["'<a>é</a>'", `'<?xml version="1.0"?><a/>'`],
    pg_lsn: ["'16/B374D848'"],
    oid: ['4294967295'],
    '"char"': ["'a'", "''", '\'\\377\'::"char"'],
    point: ["'(1.5,-0)'"],
    polygon: ["'((0,0),(1,1),(2,0))'"],
    name: ["'n'"],
    pg_snapshot: ["'10:20:10,14,15'"],
    regclass: ["'pg_class'", "'t_text'"],
    regtype: ["'int4[]'"],
    'regproc[]': ["'{now}'"],
  };
  const tables = Object.keys(columns).map((type, n) => ({
    name: type === 'text' ? 't_text' : `t${n}`,
    type,
  }));
  const ddl = tables.map(({ name, type }) => `CREATE TABLE ${name} (id int, v ${type})`).join(';');
  await source.exec(ddl);
  for (const { name, type } of tables) {
    const rows = (columns[type] ?? []).map((value, id) => `(${id}, ${value})`);
    await source.exec(`INSERT INTO ${name} VALUES ${rows.join(', ')}`);
  }
  await target.exec(`${shiftOids}; ${ddl}`);
  await using bed = await copyBed(source, target);
  await bed.run();
  for (const { name } of tables) await expectEqual(source, target, name);
  const chosen = formats(bed);
  const asText = tables.filter(({ name }) => chosen[name] === 'text').map(({ type }) => type);
  expect(asText).toEqual(['regclass', 'regtype', 'regproc[]']);
});

test('types of the database’s own round-trip though their OIDs differ', async ({ source, target }) => {
  const types = `CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN moods AS mood[]; CREATE DOMAIN ints AS int[];
    CREATE TYPE plain AS (a int, b text[]); CREATE TYPE moody AS (m mood, n positive);
    CREATE TYPE moodrange AS RANGE (subtype = mood);
    CREATE TABLE t_hstore (v hstore); CREATE TABLE t_citext (v citext); CREATE TABLE t_ltree (v ltree);
    CREATE TABLE t_citexts (v citext[]);
    CREATE TABLE t_mood (v mood); CREATE TABLE t_mood_array (v mood[]); CREATE TABLE t_moods (v moods);
    CREATE TABLE t_positive (v positive); CREATE TABLE t_positives (v positive[]); CREATE TABLE t_ints (v ints);
    CREATE TABLE t_plain (v plain); CREATE TABLE t_plains (v plain[]); CREATE TABLE t_moody (v moody);
    CREATE TABLE t_moodrange (v moodrange); CREATE TABLE t_moodmultirange (v moodmultirange)`;
  await target.exec(shiftOids);
  await Promise.all([source.exec(types), target.exec(types)]);
  await source.exec(`INSERT INTO t_hstore VALUES ('a=>1, b=>NULL'), (''); INSERT INTO t_citext VALUES ('Ab'), ('aB');
    INSERT INTO t_ltree VALUES ('Top.Science.Astronomy'); INSERT INTO t_citexts VALUES ('{A,a}');
    INSERT INTO t_mood VALUES ('it''s ok'), (NULL); INSERT INTO t_mood_array VALUES ('{happy,NULL,sad}'); INSERT INTO t_moods VALUES ('{sad}');
    INSERT INTO t_positive VALUES (1); INSERT INTO t_positives VALUES ('{1,2}'); INSERT INTO t_ints VALUES ('{1,2}');
    INSERT INTO t_plain VALUES ((1, '{a,b}')), ((NULL, NULL)); INSERT INTO t_plains VALUES (ARRAY[(1, '{a}')::plain]);
    INSERT INTO t_moody VALUES (('happy', 3)); INSERT INTO t_moodrange VALUES ('[sad,happy)'); INSERT INTO t_moodmultirange VALUES ('{[sad,happy)}')`);
  await using bed = await copyBed(source, target);
  await bed.run();
  for (const part of bed.parts) await expectEqual(source, target, part.table.name);
  const chosen = formats(bed);
  const asText = Object.keys(chosen).filter((name) => chosen[name] === 'text');
  expect(asText.sort()).toEqual(
    ['t_citexts', 't_mood_array', 't_moods', 't_moody', 't_plains', 't_positives'].sort(),
  );
});

test('a column whose type differs on the target goes as text, so that it is converted', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (a int, b varchar(10)); INSERT INTO t VALUES (7, 'x')`);
  await target.exec('CREATE TABLE t (b text, a bigint)');
  await using bed = await copyBed(source, target);
  expect(formats(bed)).toEqual({ t: 'text' });
  await bed.run();
  expect(await target.rows('SELECT a, b FROM t')).toEqual([{ a: 7, b: 'x' }]);
});

test('odd tables: no columns, dropped, generated, identity, 1600 columns, empty, inherited', async ({
  source,
  target,
}) => {
  const many = Array.from({ length: 1600 }, (_, n) => `c${n} "char"`).join(', ');
  const ddl = `CREATE TABLE none (); CREATE TABLE only_generated (g int GENERATED ALWAYS AS (1) STORED);
    CREATE TABLE shrunk (a int, b text, c int); ALTER TABLE shrunk DROP COLUMN b; ALTER TABLE shrunk ADD COLUMN d int DEFAULT 9;
    CREATE TABLE generated (a int, g int GENERATED ALWAYS AS (a * 2) STORED, z int);
    CREATE TABLE identity (id int GENERATED ALWAYS AS IDENTITY, v text);
    CREATE TABLE many (${many}); CREATE TABLE empty (a int);
    CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent)`;
  await Promise.all([source.exec(ddl), target.exec(ddl)]);
  await source.exec(`INSERT INTO none SELECT FROM generate_series(1, 3); INSERT INTO only_generated SELECT FROM generate_series(1, 2);
    INSERT INTO shrunk VALUES (1, 3); INSERT INTO generated VALUES (4, DEFAULT, 5);
    INSERT INTO identity (v) VALUES ('one'), ('two'); DELETE FROM identity WHERE v = 'one';
    INSERT INTO many (c0, c1599) VALUES ('x', 'y'); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3)`);
  await using bed = await copyBed(source, target, { splitBytes: 8192 });
  await bed.run();
  for (const table of ['shrunk', 'generated', 'identity', 'many', 'ONLY parent', 'child'])
    await expectEqual(source, target, table);
  expect(await target.rows('SELECT count(*) AS n FROM none')).toEqual([{ n: 3 }]);
  expect(await target.rows('SELECT count(*) AS n, max(g) AS g FROM only_generated')).toEqual([
    { n: 2, g: 1 },
  ]);
  expect(await target.rows('SELECT count(*) AS n FROM parent')).toEqual([{ n: 2 }]);
});

test('case 6: partitions by a hash of an enum fill through their root', async ({ source, target }) => {
  const tree = `CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f');
    CREATE TABLE tree (m mood, n int) PARTITION BY HASH (m);
    CREATE TABLE tree0 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE tree1 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE bare (n int) PARTITION BY RANGE (n)`;
  await target.exec(shiftOids);
  await Promise.all([source.exec(tree), target.exec(tree)]);
  await source.exec(
    `INSERT INTO tree SELECT m, n FROM unnest(enum_range(NULL::mood)) m, generate_series(1, 1000) n`,
  );
  await using bed = await copyBed(source, target);
  const copied: string[] = [];
  await bed.run({ onTableCopied: (table) => copied.push(table.name) });
  await expectEqual(source, target, 'tree');
  expect(copied.sort()).toEqual(['bare', 'tree']);
});

test('case 35: hostile names', async ({ source, target }) => {
  const names = [
    'a "b".c',
    "it's; DROP TABLE x --",
    'ünï😀',
    'new\nline',
    '$1',
    `"Foo"".Bar".":Identifer As ""Column"".$1:"`,
    'x'.repeat(63),
  ];
  for (const name of names) {
    const [schema, table, column] = [ident(name), ident(name, name), ident(name)];
    const ddl = sql`CREATE SCHEMA ${schema}; CREATE TABLE ${table} (${column} text, "select" int)`;
    await Promise.all([source.connection.script(ddl), target.connection.script(ddl)]);
    await source.connection.script(
      sql`INSERT INTO ${table} SELECT ${literal(name)}, i FROM generate_series(1, 500) i`,
    );
  }
  await using bed = await copyBed(source, target, { splitBytes: 16_384 });
  expect(bed.parts.length).toBeGreaterThan(names.length);
  const { rows } = await bed.run();
  expect(rows).toBe(names.length * 500);
  for (const name of names) {
    const [row] = await target.connection.query(
      sql`SELECT count(DISTINCT "select") AS n, min(${ident(name)}) AS v FROM ${ident(name, name)}`,
    );
    expect(row).toEqual({ n: 500, v: name });
  }
});

test('case 28: databases in other encodings keep their characters', async ({ source, target }) => {
  const encoded = async (database: Database, suffix: string, encoding: string) => {
    const name = `${database.name}_${suffix}`;
    await database.connection.script(
      sql`CREATE DATABASE ${ident(name)} ENCODING ${literal(encoding)} LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    return { ...database.address, database: name };
  };
  const cases = [
    { from: 'LATIN1', to: 'UTF8', bytes: '\\xe9', arrives: '\\xc3a9' },
    { from: 'LATIN1', to: 'LATIN1', bytes: '\\xe9', arrives: '\\xe9' },
    { from: 'SQL_ASCII', to: 'SQL_ASCII', bytes: '\\xe9ff', arrives: '\\xe9ff' },
  ];
  for (const [n, { from, to, bytes, arrives }] of cases.entries()) {
    const [fromAddress, toAddress] = [
      await encoded(source, `s${n}`, from),
      await encoded(target, `t${n}`, to),
    ];
    try {
      await using sourceConnection = await Connection.open(fromAddress, { purpose: 'test' });
      await using targetConnection = await Connection.open(toAddress, { purpose: 'test' });
      const create = trusted('CREATE TABLE public.t (v text)');
      await Promise.all([sourceConnection.script(create), targetConnection.script(create)]);
      await sourceConnection.script(
        sql`INSERT INTO public.t SELECT convert_from(${literal(bytes)}::bytea, ${literal(from)})`,
      );
      await using bed = await copyBed(
        { address: fromAddress, connection: sourceConnection },
        { address: toAddress, connection: targetConnection },
      );
      await bed.run();
      expect(
        await targetConnection.query(sql`SELECT encode(convert_to(v, ${to}), 'hex') AS v FROM public.t`),
      ).toEqual([{ v: arrives.slice(2) }]);
    } finally {
      await source.connection.script(sql`DROP DATABASE ${ident(fromAddress.database)} WITH (FORCE)`);
      await target.connection.script(sql`DROP DATABASE ${ident(toAddress.database)} WITH (FORCE)`);
    }
  }
});
