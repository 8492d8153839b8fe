import { expect, test } from 'vitest';
import { mayAffectSession } from './session-effect.ts';

test.each([
  'SELECT 1',
  'select abalance from pgbench_accounts where aid = $1',
  "INSERT INTO orders (customer, note) VALUES ($1, 'set_config(') RETURNING id",
  "UPDATE t SET a = coalesce($1, 'x'), b = lower(b) WHERE id IN (1, 2)",
  'BEGIN; SET LOCAL statement_timeout = 5; COMMIT',
  'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  'WITH moved AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM moved',
  'select $$ set role x $$, /* listen c */ count(*) from t -- prepare p',
  'INSERT INTO public.orders (customer, note) VALUES ($1, $2)',
  'INSERT INTO "public"."User" ("name") VALUES ($1) RETURNING "public"."User"."id"',
  'WITH logged AS (INSERT INTO shop . log (kind) VALUES ($1)) INSERT INTO public.events AS e (kind) VALUES ($1)',
  'WITH RECURSIVE tree (id) AS MATERIALIZED (SELECT 1) SELECT * FROM unnest($1::int[]) WITH ORDINALITY AS t (id, n)',
  'COPY public.orders (id, note) FROM STDIN',
  'COMMIT',
  'EXPLAIN SELECT a FROM t',
  'WITH w AS (SELECT 1 AS a) MERGE INTO t USING w ON t.a = w.a WHEN MATCHED THEN DELETE',
  "SELECT E'\\n', $1::text, 'a' 'b', $q$set x$q$, $1",
  '',
])('leaves nothing behind: %s', (text) => {
  expect(mayAffectSession(text)).toBe(false);
});

test.each([
  'SET search_path = x',
  'set session characteristics as transaction read only',
  'RESET ALL',
  'select set_config($1, $2, false)',
  "SELECT set_tenant('x')",
  'select app.lower(x)',
  'INSERT INTO public.orders (customer) SELECT set_tenant($1)',
  'INSERT INTO public.orders (customer) VALUES (app.next_customer($1))',
  'select "app"."lower"(x)',
  'SELECT pg_advisory_lock(1)',
  'LISTEN c',
  'select 1; listen c',
  'PREPARE p AS SELECT 1',
  'DEALLOCATE ALL',
  'DISCARD ALL',
  'CREATE TEMP TABLE t (a int)',
  'SELECT * INTO TEMP t FROM u',
  'WITH w AS (INSERT INTO kept VALUES (1) RETURNING n) SELECT * INTO TEMP t FROM w',
  'EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1',
  'EXPLAIN (ANALYZE, VERBOSE) SELECT set_tenant(1)',
  'EXPLAIN (VERBOSE, ANALYSE) EXECUTE p',
  'EXPLAIN ANALYZE SELECT 1 INTO TEMP t',
  'DO $$ BEGIN PERFORM 1; END $$',
  'CALL p()',
  'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  'CLOSE c',
  "COMMIT PREPARED 'x'",
  'select "set_tenant"(1)',
  "select E'\\'', pg_advisory_lock(1), '",
  "SELECT $e$it's$e$; SET work_mem = '5MB'",
  "SELECT $é$it's$é$; SET work_mem = '5MB'",
  "SELECT 1 /* a /* b */ ' */; SET work_mem = '5MB'",
  "SELECT 'it\\'s'; SET work_mem = '5MB'",
])('may leave something behind: %s', (text) => {
  expect(mayAffectSession(text)).toBe(true);
});
