import { expect, test } from 'vitest';
import { firstOfEach } from './repeats.ts';

const statement = (kind: string, sql: string) => ({ kind, name: sql, sql });

test('a table like an earlier one is a repeat, in another schema and with another number too', () => {
  const all = [
    statement('TABLE', 'CREATE TABLE "acme"."order_1" ("id" integer, "m" "acme"."mood");'),
    statement('TABLE', 'CREATE TABLE "acme"."order_27" ("id" integer, "m" "acme"."mood");'),
    statement('TABLE', 'CREATE TABLE "globex"."order_1" ("id" integer, "m" "globex"."mood");'),
    statement('TABLE', 'CREATE TABLE "globex"."order_2" ("id" integer, "m" "acme"."mood");'),
    statement('INDEX', 'CREATE INDEX "i" ON "acme"."order_1" USING "btree" ("id");'),
  ];
  const { first, repeats } = firstOfEach(all);
  expect(first).toEqual([all[0], all[3], all[4]]);
  expect(repeats).toEqual([all[1], all[2]]);
});

test('what says something else is none', () => {
  const all = [
    statement('FUNCTION', `CREATE FUNCTION "public"."a"() RETURNS int LANGUAGE sql AS 'SELECT 1';`),
    statement('FUNCTION', `CREATE FUNCTION "public"."b"() RETURNS int LANGUAGE sql AS 'SELECT 1';`),
    statement('EXTENSION', 'CREATE EXTENSION "hstore";'),
  ];
  expect(firstOfEach(all)).toEqual({ first: all, repeats: [] });
});
