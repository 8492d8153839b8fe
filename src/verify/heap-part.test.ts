import { expect, test } from 'vitest';
import { fromPart, heapParts, restsOnItsFile } from './heap-part.ts';

const heap = (name: string, blocks: number) => ({ schema: 's', name, blocks, bytes: blocks * 8192 });

test('parts cover a heap without a gap, and the last one is open', () => {
  const parts = heapParts([heap('a', 20_000), heap('b', 0), heap('c', 8_192)], true);
  expect(parts.map(({ heap: { name }, fromBlock, toBlock }) => [name, fromBlock, toBlock])).toEqual([
    ['a', 0, 8_192],
    ['a', 8_192, 16_384],
    ['a', 16_384, undefined],
    ['b', 0, undefined],
    ['c', 0, undefined],
  ]);
});

test('before PostgreSQL 14 a heap is one part', () => {
  expect(heapParts([heap('a', 20_000)], false)).toHaveLength(1);
});

test('a part in SQL', () => {
  const part = { heap: { schema: 's', name: 't"' }, fromBlock: 5, toBlock: 7, isEmptyFile: false };
  expect(fromPart(part).text).toBe(
    `FROM ONLY "s"."t""" AS t WHERE t.ctid >= '(5,0)'::tid AND t.ctid < '(7,0)'::tid`,
  );
  expect(fromPart({ ...part, fromBlock: 0, toBlock: undefined }).text).toBe('FROM ONLY "s"."t""" AS t');
});

test('a file that was exchanged matters to ranges, and to a whole heap that gave no row and had a block', () => {
  const parts = heapParts([heap('ranges', 8_193), heap('empty', 0), heap('whole', 1)], true);
  const rests = (rows: number) => parts.map((part) => restsOnItsFile(part, rows));
  expect(rests(0)).toEqual([true, true, false, true]);
  expect(rests(1)).toEqual([true, true, false, false]);
});
