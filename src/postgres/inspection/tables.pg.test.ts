import { describe, expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { Link } from '../../../test/support/link-by-hand.ts';
import { check, mend, troubles } from '../../../test/support/preflight.ts';
import type { RuleId } from '../../domain/finding.ts';

interface Case {
  readonly name: string;
  readonly rule: RuleId;
  readonly setup: string;
  readonly object: string;
  readonly fix: RegExp;
  /** What the source's application does, and must still be able to do once the table is published. */
  readonly write: string;
}

const UNPUBLISHABLE: readonly Case[] = [
  {
    name: 'case 2: a table without a key is found before it is published; a unique index helps',
    rule: 'PGG131',
    setup: `CREATE TABLE sessions (token text NOT NULL UNIQUE, seen int); INSERT INTO sessions VALUES ('a', 1)`,
    object: 'public.sessions',
    fix: /REPLICA IDENTITY USING INDEX sessions_token_key;$/,
    write: 'UPDATE sessions SET seen = 2',
  },
  {
    name: 'case 2: a partial unique index or one over a nullable column is no identity',
    rule: 'PGG131',
    setup: `CREATE TABLE t (a int UNIQUE, b int NOT NULL, seen int);
      CREATE UNIQUE INDEX ON t (b) WHERE b > 0; INSERT INTO t VALUES (1, 1, 1)`,
    object: 'public.t',
    fix: /ALTER TABLE public\.t REPLICA IDENTITY FULL;/,
    write: 'UPDATE t SET seen = 2',
  },
  {
    name: 'case 2: a deferrable primary key is no identity',
    rule: 'PGG132',
    setup: 'CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, n int); INSERT INTO t VALUES (1, 1)',
    object: 'public.t',
    fix: /REPLICA IDENTITY FULL/,
    write: 'UPDATE t SET n = 2',
  },
  {
    name: 'case 2: a deferrable primary key, and rows that cannot be compared: the key that is added is a second one',
    rule: 'PGG132',
    setup: `CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, doc json); INSERT INTO t VALUES (1, '{}')`,
    object: 'public.t',
    fix: /ADD COLUMN pgglide_key .*\n.* REPLICA IDENTITY USING INDEX pgglide_key_of_t;$/,
    write: 'UPDATE t SET id = 2',
  },
  {
    name: 'case 8: REPLICA IDENTITY FULL beside a deferrable primary key',
    rule: 'PGG135',
    setup: `CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, n int); ALTER TABLE t REPLICA IDENTITY FULL;
      INSERT INTO t VALUES (1, 1)`,
    object: 'public.t',
    fix: /ADD COLUMN pgglide_key/,
    write: 'UPDATE t SET n = 2',
  },
  {
    name: 'case 2: REPLICA IDENTITY NOTHING on a table with a primary key',
    rule: 'PGG133',
    setup: `CREATE TABLE t (id int PRIMARY KEY, n int); ALTER TABLE t REPLICA IDENTITY NOTHING;
      INSERT INTO t VALUES (1, 1)`,
    object: 'public.t',
    fix: /REPLICA IDENTITY DEFAULT;$/,
    write: 'UPDATE t SET n = 2',
  },
  {
    name: 'case 2: the identity index was dropped',
    rule: 'PGG134',
    setup: `CREATE TABLE t (id int NOT NULL, n int); CREATE UNIQUE INDEX i ON t (id);
      ALTER TABLE t REPLICA IDENTITY USING INDEX i; DROP INDEX i; INSERT INTO t VALUES (1, 1)`,
    object: 'public.t',
    fix: /REPLICA IDENTITY FULL;$/,
    write: 'UPDATE t SET n = 2',
  },
  {
    name: 'case 9: REPLICA IDENTITY FULL with a json column and no key',
    rule: 'PGG136',
    setup: `CREATE TABLE t (a int, doc json); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, '{}')`,
    object: 'public.t',
    fix: /ADD COLUMN pgglide_key .*\n.* REPLICA IDENTITY DEFAULT;$/,
    write: 'UPDATE t SET a = 2',
  },
  {
    name: 'case 8: REPLICA IDENTITY FULL without an index is searched row by row',
    rule: 'PGG135',
    setup: `CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL;
      INSERT INTO t SELECT i, i::text FROM generate_series(1, 5000) i; ANALYZE t`,
    object: 'public.t',
    fix: /ADD COLUMN pgglide_key/,
    write: 'UPDATE t SET a = 2 WHERE a = 1',
  },
  {
    name: 'case 35: hostile names are quoted in the fix',
    rule: 'PGG131',
    setup: `CREATE SCHEMA "Foo"".Bar"; CREATE TABLE "Foo"".Bar"."Select ""x"".$1:\\\\" (a int); INSERT INTO "Foo"".Bar"."Select ""x"".$1:\\\\" VALUES (1)`,
    object: `"Foo"".Bar"."Select ""x"".$1:\\\\"`,
    fix: /REPLICA IDENTITY FULL/,
    write: `UPDATE "Foo"".Bar"."Select ""x"".$1:\\\\" SET a = 2`,
  },
];

/** Generated columns are not sent: a subscriber that looks for its row by one finds none, and stops. */
describe('an identity that holds a generated column', () => {
  const TABLE = `CREATE TABLE doc (data jsonb, other int NOT NULL UNIQUE,
      id int NOT NULL GENERATED ALWAYS AS ((data ->> 'id')::int) STORED)`;
  for (const [name, setup, fix] of [
    [
      'a primary key',
      `ALTER TABLE doc ADD PRIMARY KEY (id)`,
      /^ALTER TABLE public\.doc REPLICA IDENTITY USING INDEX doc_other_key;$/,
    ],
    [
      'a primary key, and nothing else is unique',
      `ALTER TABLE doc DROP other, ADD PRIMARY KEY (id)`,
      /ADD COLUMN pgglide_key .* UNIQUE;\nALTER TABLE public\.doc REPLICA IDENTITY USING INDEX pgglide_key_of_doc;$/,
    ],
    [
      'a primary key, which a subscriber looks at with FULL, too',
      `ALTER TABLE doc DROP other, ADD PRIMARY KEY (id), REPLICA IDENTITY FULL`,
      /ADD COLUMN pgglide_key/,
    ],
    [
      'a named index',
      `CREATE UNIQUE INDEX i ON doc (id); ALTER TABLE doc DROP other, REPLICA IDENTITY USING INDEX i`,
      /REPLICA IDENTITY FULL;$/,
    ],
  ] as const) {
    test(name, async ({ source, target }) => {
      await source.exec(`${TABLE}; ${setup}`);
      const [finding, ...more] = await troubles({ source, target }, 'PGG146');
      expect(more).toEqual([]);
      expect(finding).toMatchObject({ severity: 'blocker', object: 'public.doc', fixOn: 'source' });
      expect(finding?.fix).toMatch(fix);
      await mend({ source, target }, finding);
      const found = await check({ source, target });
      expect(found.filter(({ severity }) => severity === 'blocker')).toEqual([]);

      await target.exec(`${TABLE}; ${setup}`);
      await mend({ source: target, target }, finding);
      await using link = await Link.start(source, target);
      const other = setup.includes('DROP other') ? '' : ', other';
      await source.exec(`INSERT INTO doc (data${other}) SELECT jsonb_build_object('id', n)${other && ', n'} FROM generate_series(1, 3) n;
        UPDATE doc SET data = data || '{"seen": 1}' WHERE id = 1; DELETE FROM doc WHERE id = 2`);
      await link.waitForArrival();
      expect(await target.rows('SELECT data FROM doc ORDER BY id')).toEqual([
        { data: { id: 1, seen: 1 } },
        { data: { id: 3 } },
      ]);
    });
  }
});

describe('tables that cannot be published', () => {
  for (const { name, rule, setup, object, fix, write } of UNPUBLISHABLE) {
    test(name, async ({ source, target }) => {
      await source.exec(setup);
      const [finding, ...more] = await troubles({ source, target }, rule);
      expect(more).toEqual([]);
      expect(finding).toMatchObject({ object, fixOn: 'source', fix: expect.stringMatching(fix) });
      await mend({ source, target }, finding);
      expect(await troubles({ source, target }, rule)).toEqual([]);
      await source.exec('CREATE PUBLICATION p FOR ALL TABLES');
      await source.exec(write);
    });
  }
});

test('case 2: each leaf of a partition tree is looked at, and its root', async ({ source, target }) => {
  await source.exec(`CREATE TABLE log (day int, line text) PARTITION BY RANGE (day);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)`);
  const found = await troubles({ source, target }, 'PGG131');
  expect(found.map((finding) => finding.object)).toEqual(['public.log', 'public.log_1']);
  for (const finding of found) await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG131')).toEqual([]);
});

test('a partitioned table that is UNLOGGED is refused: its partitions are logged, and nothing would carry their rows', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE UNLOGGED TABLE log (day int PRIMARY KEY) PARTITION BY RANGE (day);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)`);
  expect(await troubles({ source, target }, 'PGG155')).toMatchObject([
    { severity: 'blocker', object: 'public.log' },
  ]);
  expect(await troubles({ source, target }, 'PGG160')).toEqual([]);
  await source.exec(`ALTER TABLE log RENAME TO old; CREATE TABLE log (LIKE old INCLUDING ALL) PARTITION BY RANGE (day);
    ALTER TABLE old DETACH PARTITION log_1; ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM (0) TO (10); DROP TABLE old`);
  expect(await troubles({ source, target }, 'PGG155')).toEqual([]);
});

test('a table with inheritance children, or a parent, takes a key, too, in whichever order the fixes are run', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE middle (at point); CREATE TABLE a_child (b int) INHERITS (middle);
    CREATE TABLE z_child (c int) INHERITS (middle);
    INSERT INTO middle VALUES ('(1,1)'), ('(2,2)'); INSERT INTO a_child VALUES ('(3,3)'); INSERT INTO z_child VALUES ('(4,4)')`);
  const found = await troubles({ source, target }, 'PGG131');
  expect(found.map(({ object }) => object)).toEqual(['public.a_child', 'public.middle', 'public.z_child']);
  for (const finding of found) await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG131')).toEqual([]);
  const [keys] = await source.rows('SELECT count(DISTINCT pgglide_key) AS n FROM middle');
  expect(keys).toEqual({ n: 4 });
});

test('a table of a type, which takes no column, is not given one', async ({ source, target }) => {
  await source.exec('CREATE TYPE place AS (id int, at point); CREATE TABLE t OF place');
  const [finding] = await troubles({ source, target }, 'PGG131');
  expect(finding).toMatchObject({ object: 'public.t', detail: expect.stringContaining('NOT OF') });
  expect(finding?.fix).toBeUndefined();
});

test('types that cannot be compared are known through domains, arrays and composites', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE DOMAIN place AS point; CREATE TYPE pair AS (a int, b xml);
    CREATE TYPE mood AS ENUM ('ok');
    CREATE TABLE t (a place, b point[], c pair, d varchar(3), e mood[], f int4range, g jsonb, h "char", i inet,
      j tsvector, k money, l name, m bit varying, n json, o xml, p polygon);
    ALTER TABLE t REPLICA IDENTITY FULL`);
  const [finding] = await troubles({ source, target }, 'PGG136');
  expect(finding?.title).toMatch(/: a, b, c, n, o, p$/);
});

test('case 32: an invalid index is named; rebuilt, it is gone', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 1)');
  await expect(source.exec('CREATE UNIQUE INDEX CONCURRENTLY "Broken" ON t (a)')).rejects.toThrow();
  const [finding] = await troubles({ source, target }, 'PGG130');
  expect(finding).toMatchObject({ severity: 'warning', object: 'public.t' });
  await source.exec('UPDATE t SET a = id');
  await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG130')).toEqual([]);
});

test('what is out of scope is not looked at', async ({ source, target }) => {
  await source.exec(`CREATE SCHEMA billing; CREATE TABLE billing.a (x int); CREATE TABLE public.b (x int);
    CREATE TABLE public.c (x int)`);
  const scope = { schemas: ['public'], exclude: ['public.c'] };
  const found = await troubles({ source, target }, 'PGG131', { scope });
  expect(found.map((finding) => finding.object)).toEqual(['public.b']);
});
