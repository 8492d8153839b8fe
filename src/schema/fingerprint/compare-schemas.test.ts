import { expect, test } from 'vitest';
import { compareSchemas } from './compare-schemas.ts';
import type { SchemaObjects } from './schema-fingerprint.ts';

const schema = (majorVersion: number, classes: SchemaObjects['classes']): SchemaObjects => ({
  majorVersion,
  hash: '',
  classes,
});

test('what came, went and changed is named, with both definitions', () => {
  const was = schema(15, { tables: { a: '1', b: '1', c: '1' } });
  const is = schema(15, { tables: { a: '1', b: '2', d: '1' } });
  expect(compareSchemas(was, is)).toEqual([
    { class: 'tables', object: 'b', change: 'changed', was: '1', is: '2' },
    { class: 'tables', object: 'c', change: 'dropped', was: '1' },
    { class: 'tables', object: 'd', change: 'added', is: '1' },
  ]);
});

test('objects named like properties of every object are objects', () => {
  const was = schema(15, { tables: JSON.parse('{"__proto__": "1", "constructor": "1"}') });
  const changes = (a: SchemaObjects, b: SchemaObjects) =>
    compareSchemas(a, b).map(({ object, change }) => [object, change]);
  expect(changes(was, schema(15, { tables: {} }))).toEqual([
    ['__proto__', 'dropped'],
    ['constructor', 'dropped'],
  ]);
  expect(changes(schema(15, { tables: {} }), was)).toEqual([
    ['__proto__', 'added'],
    ['constructor', 'added'],
  ]);
});

test('a query that a newer version prints without qualifiers is the same query there, but not on one version', () => {
  const old = { views: { v: ' SELECT "t"."a",\n    "t"."b"\n   FROM "public"."t"\n  WHERE ("t"."a" > 1);' } };
  const newer = { views: { v: ' SELECT "a",\n    "b"\n   FROM "public"."t"\n  WHERE "a" > 1;' } };
  const other = { views: { v: ' SELECT "a",\n    "b"\n   FROM "public"."t"\n  WHERE "a" > 2;' } };
  expect(compareSchemas(schema(15, old), schema(16, newer))).toEqual([]);
  expect(compareSchemas(schema(15, old), schema(15, newer))).toHaveLength(1);
  expect(compareSchemas(schema(15, old), schema(16, other))).toHaveLength(1);
});
