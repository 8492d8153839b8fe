import { expect, test } from 'vitest';
import { compareClass } from './compare-schemas.ts';
import type { ObjectsOfClass } from './schema-fingerprint.ts';

const ONE_VERSION = { acrossVersions: false };
const tables = (was: ObjectsOfClass, is: ObjectsOfClass) => compareClass('tables', was, is, ONE_VERSION);

test('what came, went and changed is named, with both definitions', () => {
  expect(tables({ a: '1', b: '1', c: '1' }, { a: '1', b: '2', d: '1' })).toEqual([
    { class: 'tables', object: 'b', change: 'changed', was: '1', is: '2' },
    { class: 'tables', object: 'c', change: 'dropped', was: '1' },
    { class: 'tables', object: 'd', change: 'added', is: '1' },
  ]);
});

test('objects named like properties of every object are objects', () => {
  const odd: ObjectsOfClass = JSON.parse('{"__proto__": "1", "constructor": "1"}');
  const changes = (was: ObjectsOfClass, is: ObjectsOfClass) =>
    tables(was, is).map(({ object, change }) => [object, change]);
  expect(changes(odd, {})).toEqual([
    ['__proto__', 'dropped'],
    ['constructor', 'dropped'],
  ]);
  expect(changes({}, odd)).toEqual([
    ['__proto__', 'added'],
    ['constructor', 'added'],
  ]);
});

test('a query that a newer version prints without qualifiers is the same query there, but not on one version', () => {
  const views = (was: string, is: string, acrossVersions: boolean) =>
    compareClass('views', { v: was }, { v: is }, { acrossVersions });
  const old = ' SELECT "t"."a",\n    "t"."b"\n   FROM "public"."t"\n  WHERE ("t"."a" > 1);';
  const newer = ' SELECT "a",\n    "b"\n   FROM "public"."t"\n  WHERE "a" > 1;';
  const other = ' SELECT "a",\n    "b"\n   FROM "public"."t"\n  WHERE "a" > 2;';
  expect(views(old, newer, true)).toEqual([]);
  expect(views(old, newer, false)).toHaveLength(1);
  expect(views(old, other, true)).toHaveLength(1);
});

test('the text of a function is compared to the letter, its head and a deparsed body are not', () => {
  const functions = (was: string, is: string) =>
    compareClass('functions', { f: was }, { f: is }, { acrossVersions: true });
  const text = (body: string, more = '') =>
    `CREATE FUNCTION "public"."f"("a" integer DEFAULT (1 + 1)${more})\n LANGUAGE sql\nAS $function$ ${body} $function$\n`;
  expect(functions(text('INSERT INTO "audit"."log"'), text('INSERT INTO "audit2"."log"'))).toHaveLength(1);
  expect(functions(text('x IN (1)'), text('x IN (1)').replace('(1 + 1)', '1 + 1'))).toEqual([]);
  const atomic = (column: string) =>
    `CREATE FUNCTION f()\n LANGUAGE sql\nBEGIN ATOMIC\n SELECT ${column}\nEND\n`;
  expect(functions(atomic('"t"."a"'), atomic('"a"'))).toEqual([]);
});

test('a cast of an array is the casts of its elements, and a field of EXTRACT is in small letters, as a server prints what it has read from print', () => {
  const same = (was: string, is: string) =>
    compareClass('constraints', { c: was }, { c: is }, ONE_VERSION).length === 0;
  const written = `CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b, ]''['::character varying])::text[])))`;
  const read = `CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b, ]''['::character varying)::text])))`;
  expect(same(written, read)).toBe(true);
  expect(same(JSON.stringify({ definition: written }), JSON.stringify({ definition: read }))).toBe(true);
  expect(same(written, read.replace("'a'", "'A'"))).toBe(false);
  const names = [
    '(ARRAY["a, b", lower("c\\"), d[1]])::text[]',
    'ARRAY[("a, b")::text, (lower("c\\"))::text, (d[1])::text]',
  ];
  expect(same(names[0] ?? '', names[1] ?? '')).toBe(true);
  expect(same('EXTRACT(YEAR FROM "At")', 'EXTRACT(year FROM "At")')).toBe(true);
  expect(same('EXTRACT(YEAR FROM "At")', 'EXTRACT(year FROM "AT")')).toBe(false);
  expect(same("(ARRAY[1, 2] || '{3}'::integer[])", "(ARRAY[1, 2] || '{4}'::integer[])")).toBe(false);
});
