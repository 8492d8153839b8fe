import { expect, test } from 'vitest';
import { foreignKeyGroups } from './foreign-key-groups.ts';

const table = (name: string, ...references: string[]) => ({
  schema: 'public',
  name,
  references: references.map((other) => `public.${other}`),
});
const names = (tables: readonly ReturnType<typeof table>[]) =>
  foreignKeyGroups(tables).map((group) => group.map(({ name }) => name));

test('tables without foreign keys between them stay alone', () => {
  expect(names([table('a'), table('b', 'elsewhere'), table('c', 'c')])).toEqual([['a'], ['b'], ['c']]);
});

test('a foreign key joins two, also by way of a third that comes last', () => {
  expect(names([table('a'), table('b'), table('c', 'a', 'b')])).toEqual([['a', 'b', 'c']]);
  expect(names([table('a', 'b'), table('z'), table('b', 'c'), table('c')])).toEqual([['z'], ['a', 'b', 'c']]);
});
