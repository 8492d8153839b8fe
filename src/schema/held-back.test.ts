import { expect, test } from 'vitest';
import { heldBack, type Tie } from './held-back.ts';

const uses = (object: string, on: string): Tie => ({ object, on, isPart: false });
const partOf = (object: string, on: string): Tie => ({ object, on, isPart: true });

test('nothing is held back by what belongs to our own objects', () => {
  const ties = [partOf('index', 'table'), uses('view rule', 'table'), partOf('view rule', 'view')];
  expect(heldBack(new Set(['table', 'view']), ties)).toEqual(new Map());
});

test('what somebody else’s object uses stays, with all that it needs itself, and nothing more', () => {
  const ties = [
    partOf('default', 'table'),
    uses('default', 'function'),
    uses('table', 'schema'),
    uses('other table', 'schema'),
    partOf('their rule', 'their view'),
    uses('their rule', 'table'),
    uses('our view', 'table'),
  ];
  const ours = new Set(['table', 'function', 'schema', 'other table', 'our view']);
  const held = heldBack(ours, ties);
  expect([...held.keys()].toSorted()).toEqual(['default', 'function', 'schema', 'table']);
  expect(new Set(held.values())).toEqual(new Set(['their rule']));
});

test('a cycle of ties ends', () => {
  const ties = [uses('a', 'b'), uses('b', 'a'), uses('theirs', 'a')];
  expect([...heldBack(new Set(['a', 'b']), ties).keys()].toSorted()).toEqual(['a', 'b']);
});
