import { expect, test } from 'vitest';
import { type BothClasses, describeDifferences, newDifferences, withoutLeftOut } from './drift.ts';

const policies = (record: BothClasses, now: BothClasses) =>
  newDifferences('policies', record, now, { acrossVersions: true });
const both = (source: string, target: string): BothClasses => ({
  source: { p: source },
  target: { p: target },
});

test('what agreed and changed on one side only differs, also where another version might print it so', () => {
  const then = both('("t"."a" AND ("t"."b" OR "t"."c"))', '(a AND (b OR c))'.replaceAll(/[abc]/g, '"$&"'));
  const changed = '(("t"."a" AND "t"."b") OR "t"."c")';
  expect(policies(then, { ...then, source: { p: changed } })).toMatchObject([
    { object: 'p', change: 'changed' },
  ]);
  expect(policies(then, both(changed, '(("a" AND "b") OR "c")'))).toEqual([]);
  expect(policies(then, then)).toEqual([]);
});

test('a difference that was there, and is mended on one side, is none', () => {
  const then = both('("t"."a" > 1)', '"a" > 2');
  expect(policies(then, both('("t"."a" > 1)', '"a" > 1'))).toEqual([]);
});

test('each difference is told once', () => {
  const then = both('("t"."a" > 1)', '"a" > 1');
  expect(policies(then, both('("t"."a" > 2)', '"a" > 1'))).toHaveLength(1);
});

test('what the scope leaves out since has not been dropped', () => {
  const dropped = (object: string) => ({ class: 'any', object, change: 'dropped' as const });
  const of = [
    '"public"."t"',
    '"public"."t"."id"',
    'column "public"."t"."id"',
    'constraint "k" on "public"."t"',
  ];
  const others = ['"public"."t2"', '"other"."t"', 'table "public"."t2"', '"public"."v"."t"'];
  const kept = withoutLeftOut([...of, ...others].map(dropped), [{ schema: 'public', name: 't' }]);
  expect(kept.map(({ object }) => object)).toEqual(others);
});

test('columns that only stand in another order are told by table, others with what changed', () => {
  const column = (name: string, was: object, is: object) => ({
    class: 'columns',
    object: `"public"."t.x"."${name}"`,
    change: 'changed' as const,
    was: JSON.stringify(was),
    is: JSON.stringify(is),
  });
  const differences = [
    column('a', { place: 1, type: 'integer' }, { place: 2, type: 'integer' }),
    column('b', { place: 2, type: 'integer' }, { place: 3, type: 'bigint', 'not null': true }),
    column('c.d', { place: 3, type: 'text' }, { place: 1, type: 'text' }),
    { class: 'views', object: '"public"."v"', change: 'changed' as const, was: 'SELECT 1', is: 'SELECT 2' },
  ];
  expect(describeDifferences(differences)).toBe(
    'columns: "public"."t.x"."b" changed (place, type, not null); views: "public"."v" changed; order of the columns of "public"."t.x": "a" from 1 to 2, "c.d" from 3 to 1',
  );
});
