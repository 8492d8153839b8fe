import { expect, vi } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { dropLoadedSchema } from './drop-loaded.ts';

const TABLES = 230;

test('everything younger than our schema goes, in few transactions, and nothing older', async ({
  target,
}) => {
  await target.exec('CREATE TABLE older (id int); CREATE VIEW older_view AS SELECT * FROM older');
  await target.exec('CREATE FUNCTION older_function() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
  await target.exec('CREATE SCHEMA pgglide; CREATE TABLE pgglide.ours (id int)');
  await target.exec(`CREATE SCHEMA young; CREATE TYPE young.mood AS ENUM ('calm'); CREATE EXTENSION citext`);
  await target.exec(`DO $$ BEGIN FOR n IN 1..${TABLES} LOOP
    EXECUTE format('CREATE TABLE public.t_%s (id serial PRIMARY KEY, t text)', n);
    EXECUTE format('CREATE TABLE young.t_%s (id int, m young.mood)', n);
  END LOOP; END $$`);
  await target.exec('CREATE VIEW public.v AS SELECT * FROM public.t_1');
  await target.exec('CREATE SEQUENCE public.loose; CREATE DOMAIN public.d AS int');
  await target.exec('CREATE FUNCTION public.f(x public.d) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
  const script = vi.spyOn(target.connection, 'script');
  expect(await dropLoadedSchema(target.connection)).toEqual([]);
  expect(script.mock.calls.length).toBeLessThan(20);
  const left = await target.rows(`
    SELECT relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'young', 'pgglide') UNION ALL
    SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' UNION ALL
    SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'public' AND typtype <> 'c' AND typelem = 0 UNION ALL
    SELECT nspname FROM pg_namespace WHERE nspname = 'young' ORDER BY 1`);
  expect(left).toEqual(['older', 'older_function', 'older_view', 'ours'].map((name) => ({ name })));
});

const KINDS_BESIDES = [
  "COLLATION german (provider = icu, locale = 'de-u-co-phonebk')",
  "CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
  'OPERATOR === (LEFTARG = int4, RIGHTARG = int4, FUNCTION = pg_catalog.int4eq)',
  'OPERATOR @#@ (RIGHTARG = int8, FUNCTION = pg_catalog.int8um)',
  'OPERATOR FAMILY "Fam ily" USING btree',
  'TEXT SEARCH DICTIONARY "Dict" (TEMPLATE = pg_catalog.simple)',
  'TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.english)',
  'TYPE span AS RANGE (subtype = float8)',
  'TYPE box_size AS (width int, height int)',
  'CAST (int8 AS macaddr8) WITH INOUT',
  'EXTENSION pg_trgm',
  'TABLE trigrams (t text)',
  'INDEX ON trigrams USING gist (t gist_trgm_ops (siglen = 32))',
  'FOREIGN DATA WRAPPER nothing',
  'SERVER far FOREIGN DATA WRAPPER nothing',
  `FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nothing is dropped'; END $$`,
  'EVENT TRIGGER refuse ON sql_drop EXECUTE FUNCTION refuse()',
];

test('so does what is neither table nor function, in a schema that was there and in none', async ({
  target,
}) => {
  await target.exec('CREATE SCHEMA pgglide');
  for (const kind of KINDS_BESIDES) await target.exec(`CREATE ${kind}`);
  expect(await dropLoadedSchema(target.connection)).toEqual([]);
  // What is still there cannot be made again.
  for (const kind of KINDS_BESIDES) await target.exec(`CREATE ${kind}`);
});

test('what cannot be dropped is named, and keeps nothing else back', async ({ target }) => {
  await target.exec(`CREATE FUNCTION keep() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_identity = 'public.b')
    THEN RAISE 'b stays'; END IF; END $$`);
  await target.exec('CREATE EVENT TRIGGER keep ON sql_drop EXECUTE FUNCTION keep()');
  await target.exec('CREATE SCHEMA pgglide');
  await target.exec(
    'CREATE TABLE public.a (id int); CREATE TABLE public.b (id int); CREATE TABLE public.c (id int)',
  );
  const kept = await dropLoadedSchema(target.connection);
  expect(kept).toEqual([expect.stringMatching(/^target: TABLE IF EXISTS public\.b: b stays$/)]);
  const left = await target.rows(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  );
  expect(left).toEqual([{ name: 'b' }]);
});
