import { expect, vi } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { classifyRestore } from './classify-restore.ts';
import { dropLoaded, findLoaded } from './drop-loaded.ts';
import { dumpSchema } from './dump-schema.ts';
import { restoreStage } from './restore-stage.ts';
import type { SchemaStatement } from './statement.ts';

const TABLES = 230;

/** The source's schema, loaded as sync does it. */
async function load(source: Database, target: Database): Promise<SchemaStatement[]> {
  const statements = await dumpSchema(source.address);
  await target.exec('CREATE SCHEMA pgglide');
  for (const stage of classifyRestore(statements))
    await restoreStage({
      stage,
      connect: () => Connection.open(target.address, { purpose: 'test restore' }),
      width: 1,
      record: async () => undefined,
    });
  return statements;
}

async function drop(target: Database, statements: readonly SchemaStatement[]) {
  const { droppable, heldBack, others } = await findLoaded(target.connection, {
    dumped: statements,
    noted: [],
  });
  return { kept: await dropLoaded(target.connection, droppable), heldBack, others };
}

const NOTHING = { kept: [], heldBack: [], others: [] };

test('everything that was loaded goes, in few transactions, and nothing older', async ({
  source,
  target,
}) => {
  await target.exec('CREATE TABLE older (id int); CREATE VIEW older_view AS SELECT * FROM older');
  await target.exec('CREATE FUNCTION older_function() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
  await source.exec(`CREATE SCHEMA young; CREATE TYPE young.mood AS ENUM ('calm'); CREATE EXTENSION citext`);
  await source.exec(`DO $$ BEGIN FOR n IN 1..${TABLES} LOOP
    EXECUTE format('CREATE TABLE public.t_%s (id serial PRIMARY KEY, t text)', n);
    EXECUTE format('CREATE TABLE young.t_%s (id int, m young.mood)', n);
  END LOOP; END $$`);
  await source.exec('CREATE VIEW public.v AS SELECT * FROM public.t_1');
  await source.exec('CREATE SEQUENCE public.loose; CREATE DOMAIN public.d AS int');
  await source.exec('CREATE FUNCTION public.f(x public.d) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
  const statements = await load(source, target);
  const script = vi.spyOn(target.connection, 'script');
  expect(await drop(target, statements)).toEqual(NOTHING);
  expect(script.mock.calls.length).toBeLessThan(20);
  const left = await target.rows(`
    SELECT relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'young', 'pgglide') UNION ALL
    SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' UNION ALL
    SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'public' AND typtype <> 'c' AND typelem = 0 UNION ALL
    SELECT nspname FROM pg_namespace WHERE nspname = 'young' ORDER BY 1`);
  expect(left).toEqual(['older', 'older_function', 'older_view'].map((name) => ({ name })));
});

const KINDS_BESIDES = [
  "COLLATION german (provider = icu, locale = 'de-u-co-phonebk')",
  "CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
  'OPERATOR === (LEFTARG = int4, RIGHTARG = int4, FUNCTION = pg_catalog.int4eq)',
  'OPERATOR @#@ (RIGHTARG = int8, FUNCTION = pg_catalog.int8um)',
  "TYPE word AS ENUM ('one')",
  'FUNCTION before(text, word) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$',
  'OPERATOR <~ (LEFTARG = text, RIGHTARG = word, FUNCTION = public.before, COMMUTATOR = ~>, NEGATOR = >=~)',
  'OPERATOR FAMILY "Fam ily" USING btree',
  'OPERATOR CLASS "cl ass" FOR TYPE int4 USING btree FAMILY "Fam ily" AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int4, int4)',
  'TEXT SEARCH DICTIONARY "Dict" (TEMPLATE = pg_catalog.simple)',
  'TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.english)',
  'TEXT SEARCH TEMPLATE pattern (LEXIZE = dsimple_lexize)',
  'TEXT SEARCH PARSER reader (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
  'TYPE span AS RANGE (subtype = float8)',
  'TYPE box_size AS (width int, height int)',
  'CAST (int8 AS macaddr8) WITH INOUT',
  'TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal))',
  'EXTENSION pg_trgm',
  'TABLE trigrams (t text)',
  'INDEX ON trigrams USING gist (t gist_trgm_ops (siglen = 32))',
  'ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler',
  'FOREIGN DATA WRAPPER nothing',
  'SERVER far FOREIGN DATA WRAPPER nothing',
  'FUNCTION "Sum up"(int[], VARIADIC span[]) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  "AGGREGATE how_many(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0')",
  'PROCEDURE p(IN a text, OUT b int) LANGUAGE plpgsql AS $$ BEGIN b := 1; END $$',
  'PROCEDURE p(IN a text, IN b int) LANGUAGE plpgsql AS $$ BEGIN END $$',
  `FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nothing is dropped'; END $$`,
  'EVENT TRIGGER refuse ON sql_drop EXECUTE FUNCTION refuse()',
];

test('so does what is neither table nor function, in a schema that was there and in none', async ({
  source,
  target,
}) => {
  for (const kind of KINDS_BESIDES) await source.exec(`CREATE ${kind}`);
  const statements = await load(source, target);
  expect(await drop(target, statements)).toEqual(NOTHING);
  // What is still there cannot be made again.
  for (const kind of KINDS_BESIDES) await target.exec(`CREATE ${kind}`);
});

test('a transform goes from a server before 16, too', async ({ source }) => {
  const transform = KINDS_BESIDES.find((kind) => kind.startsWith('TRANSFORM'));
  await source.exec(`CREATE ${transform}`);
  const statements = await dumpSchema(source.address);
  await source.exec('DROP TRANSFORM FOR int LANGUAGE sql; CREATE SCHEMA pgglide');
  await source.exec(`CREATE ${transform}`);
  expect(await drop(source, statements)).toEqual(NOTHING);
  await source.exec(`CREATE ${transform}`);
});

test('what others have made meanwhile stays, and so does what it needs, and both are told', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE SCHEMA app; CREATE EXTENSION citext SCHEMA app;
    CREATE FUNCTION app.start() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TABLE app.watched (id int PRIMARY KEY DEFAULT app.start());
    CREATE TABLE app.plain (id int PRIMARY KEY, name app.citext);
    CREATE TABLE public.plain (id int); CREATE VIEW public.sum AS SELECT count(*) FROM app.plain`);
  const statements = await load(source, target);
  await target.exec(`CREATE SCHEMA mon; CREATE TABLE mon.sample (at timestamptz);
    CREATE VIEW mon.totals AS SELECT count(id) FROM app.watched;
    CREATE TABLE public.notes (t text); CREATE FUNCTION public.sum(text) RETURNS int LANGUAGE sql AS 'SELECT 2'`);
  const { kept, heldBack, others } = await drop(target, statements);
  expect(kept).toEqual([]);
  const reason = 'rule _RETURN on view mon.totals needs it, and is not ours';
  expect(heldBack).toEqual([
    `TABLE app.watched: ${reason}`,
    `SCHEMA app: ${reason}`,
    `ROUTINE app.start(): ${reason}`,
  ]);
  expect(others.toSorted()).toEqual([
    'ROUTINE public.sum(text)',
    'SCHEMA mon',
    'TABLE mon.sample',
    'TABLE public.notes',
    'VIEW mon.totals',
  ]);
  const left = await target.rows(`
    SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'app', 'mon') AND relkind <> 'i' ORDER BY 1`);
  expect(left).toEqual(['app.watched', 'mon.sample', 'mon.totals', 'notes'].map((name) => ({ name })));
  expect(await target.rows("SELECT FROM pg_extension WHERE extname = 'citext'")).toEqual([]);
  await target.exec('INSERT INTO app.watched DEFAULT VALUES');
});

test('what cannot be dropped is named, and keeps nothing else back', async ({ source, target }) => {
  await target.exec(`CREATE FUNCTION keep() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_identity = 'public.b')
    THEN RAISE 'b stays'; END IF; END $$`);
  await target.exec('CREATE EVENT TRIGGER keep ON sql_drop EXECUTE FUNCTION keep()');
  await source.exec(
    'CREATE TABLE public.a (id int); CREATE TABLE public.b (id int); CREATE TABLE public.c (id int)',
  );
  const { kept } = await drop(target, await load(source, target));
  expect(kept).toEqual([expect.stringMatching(/^target: TABLE public\.b: b stays$/)]);
  const left = await target.rows(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  );
  expect(left).toEqual([{ name: 'b' }]);
});
