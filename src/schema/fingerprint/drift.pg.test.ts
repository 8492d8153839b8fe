import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { schemaChanges, schemaDifferences, wholeSchema } from '../../../test/support/whole-schema.ts';
import { Connection } from '../../postgres/connection.ts';
import { sql } from '../../postgres/sql.ts';
import { readSchema, schemaHash } from './schema-fingerprint.ts';

const BASE = `
  CREATE SCHEMA s;
  CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
  CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 1, b text, m mood);
  CREATE INDEX t_b ON t (b);
  CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t);
  CREATE TABLE p (id int) PARTITION BY RANGE (id);
  CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
  CREATE VIEW v AS SELECT t.id, t.a FROM t WHERE t.a > 1;
  CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
  CREATE SEQUENCE q;
  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();
  CREATE POLICY pol ON t USING (id > 1);
  ALTER TABLE t ADD CONSTRAINT late CHECK (a > 0) NOT VALID;
  CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
  COMMENT ON TABLE t IS 'one'`;

const CHANGES: readonly (readonly [ddl: string, classes: readonly string[]])[] = [
  [
    'CREATE TABLE extra (a int, b text)',
    ['tables', 'columns', 'grants on tables and sequences', 'replica identities'],
  ],
  ['ALTER TABLE t ADD COLUMN c int', ['columns']],
  ['ALTER TABLE u DROP COLUMN t', ['columns', 'constraints']],
  ['ALTER TABLE t ALTER COLUMN b TYPE varchar(10)', ['columns']],
  ['ALTER TABLE t RENAME COLUMN b TO bb', ['columns', 'indexes']],
  ['ALTER TABLE t ALTER COLUMN a SET DEFAULT 2', ['columns']],
  ['ALTER TABLE t ALTER COLUMN a DROP NOT NULL', ['columns']],
  ['ALTER TABLE t ALTER COLUMN bb SET STORAGE EXTERNAL', ['columns']],
  ['ALTER TABLE t ALTER COLUMN bb SET STATISTICS 7', ['columns']],
  ['ALTER TABLE t SET (fillfactor = 50)', ['tables']],
  ['ALTER TABLE t ENABLE ROW LEVEL SECURITY', ['tables']],
  ['ALTER TABLE t VALIDATE CONSTRAINT late', ['constraints']],
  ['ALTER TABLE t ADD UNIQUE (bb)', ['constraints', 'indexes']],
  ['CREATE INDEX ON t (a)', ['indexes']],
  ['DROP INDEX t_b', ['indexes']],
  ['ALTER TABLE t REPLICA IDENTITY FULL', ['replica identities']],
  ['ALTER TABLE p DETACH PARTITION p1', ['tables']],
  ["ALTER TYPE mood ADD VALUE 'great'", ['types']],
  ['ALTER DOMAIN positive DROP CONSTRAINT positive_check', ['types']],
  ["CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'", ['functions']],
  ['ALTER FUNCTION f(int) OWNER TO CURRENT_USER; GRANT EXECUTE ON FUNCTION f(int) TO PUBLIC', []],
  ['REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC', ['grants on functions']],
  ['CREATE OR REPLACE VIEW v AS SELECT t.id, t.a FROM t WHERE t.a > 2', ['views']],
  ['CREATE OR REPLACE VIEW v AS SELECT t.id, t.id AS a FROM t', ['view dependencies', 'views']],
  ['REFRESH MATERIALIZED VIEW mv WITH NO DATA', ['tables']],
  ['ALTER SEQUENCE q INCREMENT 5', ['sequences']],
  ['SELECT nextval($$q$$)', []],
  ['ALTER TABLE t DISABLE TRIGGER tr', ['triggers']],
  ['ALTER POLICY pol ON t USING (id > 2)', ['policies']],
  ['CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING', ['rules']],
  ['CREATE STATISTICS st ON a, bb FROM t', ['extended statistics']],
  ['GRANT SELECT ON t TO PUBLIC', ['grants on tables and sequences']],
  ['GRANT SELECT (a) ON t TO PUBLIC', ['grants on tables and sequences']],
  ['GRANT USAGE ON SCHEMA s TO PUBLIC', ['schemas']],
  ['ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC', ['default privileges']],
  ["COMMENT ON TABLE t IS 'two'", ['comments']],
  ['CREATE EXTENSION citext', ['extensions']],
  ['CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION ef()', ['event triggers']],
  ['CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)', ['aggregates', 'grants on functions']],
  ['CREATE AGGREGATE top(int) (SFUNC = int4larger, STYPE = int)', ['aggregates', 'grants on functions']],
  ['CREATE OR REPLACE AGGREGATE top(int) (SFUNC = int4larger, STYPE = int, SORTOP = >)', ['aggregates']],
  ['ALTER OPERATOR === (int, int) SET (RESTRICT = eqsel)', ['operators']],
  ['CREATE OPERATOR FAMILY fam USING btree', ['operator families']],
  ['ALTER OPERATOR FAMILY fam USING btree ADD OPERATOR 1 < (int4, int8)', ['operator families']],
  ["CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8", ['conversions']],
  ['CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))', ['transforms']],
  ['CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler', ['access methods']],
  ['CREATE TEXT SEARCH TEMPLATE tmpl (LEXIZE = dsimple_lexize)', ['text search objects']],
  [
    'CREATE TEXT SEARCH PARSER prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
    ['text search objects'],
  ],
  ['ALTER TABLE extra SET (toast.autovacuum_enabled = false)', ['tables']],
  ["CREATE COLLATION c (locale = 'C')", ['collations']],
  ['INSERT INTO t VALUES (1); ANALYZE t', []],
  ['CREATE TEMP TABLE tmp (a int)', []],
];

test('case 14: every kind of DDL shows in the classes it concerns, and work on rows in none', async ({
  source,
}) => {
  await source.exec(BASE);
  let before = await wholeSchema(source.connection);
  for (const [ddl, classes] of CHANGES) {
    for (const statement of ddl.split('; ')) await source.exec(statement);
    const after = await wholeSchema(source.connection);
    const found = new Set(schemaChanges(before, after).map((difference) => difference.class));
    expect.soft([...found].sort(), ddl).toEqual([...classes].sort());
    expect.soft(after.hash === before.hash, ddl).toBe(classes.length === 0);
    expect.soft(await schemaHash(source.connection), ddl).toBe(after.hash);
    before = after;
  }
});

test('case 32: an invalid index is there on the source and missing on the target', async ({
  source,
  target,
}) => {
  for (const side of [source, target])
    await side.exec('CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)');
  await expect(source.exec('CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)')).rejects.toMatchObject({
    code: '23505',
  });
  const differences = await schemaDifferences(source.connection, target.connection);
  expect(differences).toMatchObject([
    {
      class: 'indexes',
      object: '"public"."t"."broken"',
      change: 'dropped',
      was: expect.stringContaining('"valid": false'),
    },
  ]);
});

test('options of foreign objects are the same in any order: pg_dump sorts them', async ({
  source,
  target,
}) => {
  const foreign = (...options: readonly string[]) => `
    CREATE FOREIGN DATA WRAPPER far OPTIONS (${options});
    CREATE SERVER there FOREIGN DATA WRAPPER far OPTIONS (${options});
    CREATE FOREIGN TABLE f (a int OPTIONS (${options})) SERVER there OPTIONS (${options})`;
  await source.exec(foreign("host 'h'", "dbname 'd'"));
  await target.exec(foreign("dbname 'd'", "host 'h'"));
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
  await target.exec("ALTER SERVER there OPTIONS (SET host 'other')");
  expect(await schemaDifferences(source.connection, target.connection)).toMatchObject([
    { object: 'server "there"', change: 'changed' },
  ]);
});

test('a text search configuration of a parser of its own is the same on both sides, whatever OID the parser has', async ({
  source,
  target,
}) => {
  const parser = `CREATE TEXT SEARCH PARSER words (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
    CREATE TEXT SEARCH CONFIGURATION of_words (PARSER = words)`;
  await source.exec(parser);
  await target.exec(`CREATE SEQUENCE takes_an_oid; DROP SEQUENCE takes_an_oid; ${parser}`);
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('an operator without a function, which no dump brings, is none', async ({ source, target }) => {
  const named = 'OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, NEGATOR = !==)';
  await source.exec(`CREATE ${named}; DROP OPERATOR === (int, int)`);
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('a view that serializes XML is the same view on 16, which prints NO INDENT', async ({
  source,
  target,
}) => {
  const view = `CREATE VIEW v AS SELECT xmlserialize(CONTENT 'good'::xml AS text) AS x`;
  await source.exec(view);
  await target.exec(view);
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('what only 18 says of NOT NULL is told: that old rows are not looked at yet, and that children need not follow', async ({
  ownServers,
}) => {
  const [server] = await ownServers([18]);
  if (server === undefined) throw new Error('no server');
  await using session = await Connection.open(server.address(), { purpose: 'test' });
  await session.script(
    sql`CREATE TABLE public.t (a int, b int); ALTER TABLE public.t ADD CONSTRAINT a_there NOT NULL a NOT VALID`,
  );
  const before = await wholeSchema(session);
  await session.script(
    sql`ALTER TABLE public.t VALIDATE CONSTRAINT a_there; ALTER TABLE public.t ADD CONSTRAINT b_there NOT NULL b NO INHERIT`,
  );
  expect(schemaChanges(before, await wholeSchema(session))).toMatchObject([
    { class: 'columns', object: '"public"."t"."b"' },
    { class: 'constraints', object: '"public"."t"."a_there"', change: 'dropped' },
    { class: 'constraints', object: '"public"."t"."b_there"', change: 'added' },
  ]);
});

test('objects outside the scope do not count', async ({ source }) => {
  await source.exec('CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (x int); CREATE TABLE a.u (x int)');
  const scope = { schemas: ['a'], exclude: ['a.u'] };
  const before = await wholeSchema(source.connection, scope);
  await source.exec('CREATE TABLE b.t (); ALTER TABLE a.u ADD y int; CREATE EXTENSION citext SCHEMA b');
  expect((await wholeSchema(source.connection, scope)).hash).toBe(before.hash);
  await source.exec('ALTER TABLE a.t ADD y int');
  expect((await wholeSchema(source.connection, scope)).hash).not.toBe(before.hash);
});

test('once the views are read, DDL on their tables waits for us no more', async ({ source }) => {
  await source.exec('CREATE TABLE a (id int PRIMARY KEY); CREATE VIEW v AS SELECT * FROM a');
  const change = "SET lock_timeout = '2s'; ALTER TABLE a ADD note text";
  await readSchema(source.connection, {}, async (name) => {
    if (name === 'comments') await source.exec(change);
  });
  expect(
    await source.rows("SELECT FROM pg_attribute WHERE attname = 'note' AND attrelid = 'a'::regclass"),
  ).toEqual([{}]);
});
