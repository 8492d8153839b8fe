import { describe, expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { check, mend, troubles } from '../../../test/support/preflight.ts';
import type { RuleId } from '../../domain/finding.ts';

interface Case {
  readonly name: string;
  readonly rule: RuleId;
  readonly setup: string;
  readonly finding: object;
}

const MENDABLE: readonly Case[] = [
  {
    name: 'case 10: a NOT VALID check and a NOT VALID foreign key stay so',
    rule: 'PGG138',
    setup: `CREATE TABLE t (id int PRIMARY KEY, n int);
      ALTER TABLE t ADD CONSTRAINT "Positive!" CHECK (n > 0) NOT VALID`,
    finding: { severity: 'note', object: 'public.t', title: expect.stringContaining('check Positive!') },
  },
  {
    name: 'case 26: an unlogged table refers to a replicated one, whose TRUNCATE could not be replicated',
    rule: 'PGG140',
    setup: `CREATE TABLE t (id int PRIMARY KEY);
      CREATE UNLOGGED TABLE cache (id int PRIMARY KEY REFERENCES t)`,
    finding: { severity: 'warning', object: 'public.t' },
  },
  {
    name: 'case 7: a generated column calls a function by its bare name',
    rule: 'PGG144',
    setup: `CREATE SCHEMA lib; CREATE FUNCTION lib.norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
      CREATE FUNCTION slug(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RETURN norm(t); /* lib.norm2() */ END $$;
      CREATE TABLE t (id int PRIMARY KEY, title text, slug text GENERATED ALWAYS AS (slug(title)) STORED)`,
    finding: {
      severity: 'warning',
      object: 'public.slug(t text)',
      detail: 'used by generated column public.t.slug',
      fix: 'ALTER ROUTINE public.slug(t text) SET search_path = pg_catalog, lib, pg_temp;',
    },
  },
  {
    name: 'case 7: so does a procedure that such a function calls',
    rule: 'PGG144',
    setup: `CREATE TABLE audit (id int); CREATE TABLE t (id int PRIMARY KEY);
      CREATE PROCEDURE note(n int) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (n); END $$;
      CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CALL public.note(NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER logs AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log();
      ALTER TABLE t ENABLE ALWAYS TRIGGER logs`,
    finding: {
      object: 'public.note(IN n integer)',
      fix: expect.stringMatching(/^ALTER ROUTINE public\.note/),
    },
  },
  {
    name: 'case 7: so does an expression index',
    rule: 'PGG144',
    setup: `CREATE FUNCTION norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
      CREATE FUNCTION slug(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT norm($1)';
      CREATE TABLE t (id int PRIMARY KEY, title text); CREATE INDEX by_slug ON t (slug(title))`,
    finding: { detail: 'used by index by_slug on public.t' },
  },
  {
    name: 'case 7: so does the function of an ENABLE ALWAYS trigger',
    rule: 'PGG144',
    setup: `CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE audit (id int);
      CREATE TABLE t (id int PRIMARY KEY);
      CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
        $$ DECLARE m mood; BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER logs AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION log();
      ALTER TABLE t ENABLE ALWAYS TRIGGER logs`,
    finding: {
      title: expect.stringMatching(/search_path for (audit, mood|mood, audit)$/),
      detail: 'used by trigger logs on public.t',
    },
  },
  {
    name: 'case 21: an ENABLE ALWAYS trigger fires twice',
    rule: 'PGG145',
    setup: `CREATE TABLE t (id int PRIMARY KEY);
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER "Audit" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
      ALTER TABLE t ENABLE ALWAYS TRIGGER "Audit"`,
    finding: { severity: 'warning', fix: 'ALTER TABLE public.t ENABLE TRIGGER "Audit";' },
  },
  {
    name: 'a schema of our name that is not ours',
    rule: 'PGG142',
    setup: 'CREATE SCHEMA pgglide; CREATE TABLE pgglide.planes (id int)',
    finding: { severity: 'blocker', fixOn: 'source' },
  },
];

describe('a finding and its fix', () => {
  for (const { name, rule, setup, finding } of MENDABLE) {
    test(name, async ({ source, target }) => {
      await source.exec(setup);
      const [found, ...more] = await troubles({ source, target }, rule);
      expect(more).toEqual([]);
      expect(found).toMatchObject(finding);
      await mend({ source, target }, found);
      expect(await troubles({ source, target }, rule)).toEqual([]);
    });
  }
});

test('case 7: what a qualified call calls in turn, and what a domain checks', async ({ source, target }) => {
  await source.exec(`CREATE FUNCTION deep(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
    CREATE FUNCTION middle(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT deep($1)';
    CREATE FUNCTION top(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT public.middle($1)';
    CREATE TABLE t (id int PRIMARY KEY, a text, b text GENERATED ALWAYS AS (top(a)) STORED);
    CREATE FUNCTION fine(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN deep($1) <> $$$$; END';
    CREATE DOMAIN word AS text CHECK (fine(VALUE))`);
  const found = await troubles({ source, target }, 'PGG144');
  expect(found.map(({ object, detail }) => [object, detail])).toEqual([
    ['public.fine(text)', 'used by domain public.word'],
    ['public.middle(text)', 'used by function public.top(text)'],
  ]);
  for (const finding of found) await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG144')).toEqual([]);
});

test('case 7: statistics, partition keys, operators and range types run functions, too', async ({
  source,
  target,
}) => {
  const body = (call: string) => `LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ${call}; END'`;
  await source.exec(`CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION a(text) RETURNS text ${body('norm($1)')}; CREATE FUNCTION b(text) RETURNS text ${body('norm($1)')};
    CREATE FUNCTION c(text, text) RETURNS text ${body('norm($1)')};
    CREATE FUNCTION d(text, text) RETURNS float8 ${body('length(norm($1))')};
    CREATE FUNCTION e(int, int) RETURNS int ${body('length(norm($1::text))')};
    CREATE TABLE t (id int PRIMARY KEY, v text); CREATE STATISTICS stat ON (a(v)) FROM t;
    CREATE TABLE parts (v text) PARTITION BY LIST (b(v));
    CREATE OPERATOR ||~ (LEFTARG = text, RIGHTARG = text, FUNCTION = c); CREATE INDEX joined ON t ((v ||~ 'x'));
    CREATE TYPE span AS RANGE (SUBTYPE = text, SUBTYPE_DIFF = d);
    CREATE OPERATOR CLASS other FOR TYPE int USING btree AS
      OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 e(int, int)`);
  const found = await troubles({ source, target }, 'PGG144');
  expect(found.map(({ object, detail }) => [object, detail])).toEqual([
    ['public.a(text)', 'used by statistics stat on public.t'],
    ['public.b(text)', 'used by partition key of public.parts'],
    ['public.c(text, text)', 'used by index joined on public.t'],
    ['public.d(text, text)', 'used by range type public.span'],
    ['public.e(integer, integer)', 'used by operator family public.other'],
  ]);
});

test('functions that qualify, have a search_path or were resolved when created are left alone', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE FUNCTION norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
    CREATE FUNCTION a(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT public.norm($1) -- norm()';
    CREATE FUNCTION b(text) RETURNS text IMMUTABLE LANGUAGE sql SET search_path = public AS 'SELECT norm($1)';
    CREATE FUNCTION c(text) RETURNS text IMMUTABLE LANGUAGE sql RETURN norm($1);
    CREATE FUNCTION unused(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT norm($1)';
    CREATE TABLE t (id int PRIMARY KEY, x text, CHECK (a(x) <> ''), CHECK (b(x) <> ''), CHECK (c(x) <> ''))`);
  expect(await troubles({ source, target }, 'PGG144')).toEqual([]);
});

test('case 26: foreign keys across the edge of the scope', async ({ source, target }) => {
  await source.exec(`CREATE SCHEMA out; CREATE TABLE out.base (id int PRIMARY KEY);
    CREATE TABLE t (id int PRIMARY KEY REFERENCES out.base);
    CREATE TABLE out.leans_on_t (id int PRIMARY KEY REFERENCES t)`);
  const scope = { schemas: ['public'] };
  const pair = { source, target };
  expect(await troubles(pair, 'PGG139', { scope })).toMatchObject([{ object: 'public.t' }]);
  expect(await troubles(pair, 'PGG140', { scope })).toMatchObject([{ object: 'public.t' }]);
  const oneWay = { scope, thresholds: { wantsReverse: false } };
  expect(await troubles(pair, 'PGG140', oneWay)).toEqual([]);
  expect((await check(pair)).filter(({ id }) => ['PGG139', 'PGG140'].includes(id))).toMatchObject([
    { severity: 'ok' },
    { severity: 'ok' },
  ]);
});

test('case 6: a table partitioned by the hash of an enum is noted', async ({ source, target }) => {
  await source.exec(`CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN temper AS mood;
    CREATE TABLE t (m mood) PARTITION BY HASH (m); CREATE TABLE d (m temper) PARTITION BY HASH (m);
    CREATE TABLE i (n int) PARTITION BY HASH (n)`);
  const found = await troubles({ source, target }, 'PGG141');
  expect(found.map(({ object }) => object)).toEqual(['public.d', 'public.t']);
});
