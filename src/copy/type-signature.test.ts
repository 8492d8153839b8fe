import { expect, test } from 'vitest';
import { type TypeRow, typeSignature } from './type-signature.ts';

const base: TypeRow = {
  oid: 0,
  schema: 'pg_catalog',
  name: '',
  kind: 'b',
  hasBinaryForm: true,
  element: 0,
  inner: 0,
  attributes: [],
};
const types = new Map(
  (
    [
      { oid: 23, name: 'int4' },
      { oid: 1007, name: '_int4', element: 23 },
      { oid: 2205, name: 'regclass' },
      { oid: 2210, name: '_regclass', element: 2205 },
      { oid: 1033, name: 'aclitem', hasBinaryForm: false },
      { oid: 20000, schema: 'public', name: 'mood', kind: 'e' },
      { oid: 20001, schema: 'public', name: '_mood', element: 20000 },
      { oid: 20002, schema: 'public', name: 'positive', kind: 'd', inner: 23 },
      { oid: 20003, schema: 'public', name: '_positive', element: 20002 },
      { oid: 20004, schema: 'public', name: 'positives', kind: 'd', inner: 1007 },
      { oid: 20005, schema: 'public', name: 'point3', kind: 'c', attributes: [23, 1007] },
      { oid: 20006, schema: 'public', name: 'moody', kind: 'c', attributes: [23, 20000] },
      { oid: 20007, schema: 'public', name: 'moods', kind: 'r', inner: 20000 },
      { oid: 20008, schema: 'public', name: 'citext' },
    ] as Partial<TypeRow>[]
  ).map((row) => [row.oid ?? 0, { ...base, ...row }]),
);

test.each([
  [23, 'pg_catalog.int4'],
  [1007, 'array(pg_catalog.int4)'],
  [20000, 'enum public.mood'],
  [20002, 'd(pg_catalog.int4)'],
  [20004, 'd(array(pg_catalog.int4))'],
  [20005, 'row(pg_catalog.int4, array(pg_catalog.int4))'],
  [20007, 'r(enum public.mood)'],
  [20008, 'public.citext'],
])('type %i travels in binary', (oid, signature) => {
  expect(typeSignature(oid, types)).toBe(signature);
});

test.each([
  ['a reference to a catalog row', 2205],
  ['an array of them', 2210],
  ['a type without binary form', 1033],
  ['an array that names its element type by OID', 20001],
  ['an array of a domain', 20003],
  ['a row that names a column’s type by OID', 20006],
  ['an unknown type', 99999],
])('%s goes as text', (_, oid) => {
  expect(typeSignature(oid, types)).toBeUndefined();
});
