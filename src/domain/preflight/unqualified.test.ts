import { expect, test } from 'vitest';
import { unqualifiedNames, wordsOf } from './unqualified.ts';

const routine = (body: string) => ({
  signature: 'public.f()',
  schema: 'public',
  name: 'f',
  body,
  usedBy: [],
});
const known = [
  { kind: 'function' as const, schema: 'lib', name: 'norm' },
  { kind: 'function' as const, schema: 'lib', name: 'Odd "Name' },
  { kind: 'relation' as const, schema: 'app', name: 'audit' },
  { kind: 'type' as const, schema: 'app', name: 'mood' },
];
const found = (body: string) => unqualifiedNames(routine(body), known).map(({ name }) => name);

test.each([
  ['SELECT norm($1)', ['norm']],
  ['SELECT NORM ($1)', ['norm']],
  ['SELECT lib.norm($1)', []],
  ['SELECT lib . norm($1)', []],
  ["SELECT 'norm(' || $1", []],
  ["SELECT 'it''s norm('", []],
  ['SELECT 1 -- norm($1)', []],
  ['SELECT 1 /* norm(1)\n */', []],
  ['SELECT "Odd ""Name"($1)', ['Odd "Name']],
  ['SELECT norm FROM app.t', []],
  ['INSERT INTO audit VALUES (1)', ['audit']],
  ['DELETE FROM app.audit', []],
  ['SELECT audit FROM app.x', []],
  ["SELECT 'ok'::mood", ['mood']],
  ["SELECT cast('ok' AS mood)", ['mood']],
  ['DECLARE m mood; BEGIN END', ['mood']],
  ['UPDATE audit SET a = norm(b)', ['norm', 'audit']],
])('%s', (body, names) => {
  expect(found(body)).toEqual(names);
});

test('words are folded as the server folds them', () => {
  expect(wordsOf('SELECT "Big"(x) FROM Größe')).toEqual(['select', 'Big', 'x', 'from', 'größe']);
});
