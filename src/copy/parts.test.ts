import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PlannedTable } from '../domain/plan.ts';
import { PartQueue } from './part-queue.ts';
import { planParts } from './parts.ts';

const MB = 1024 * 1024;
const BLOCK = 8192;

const table = (name: string, bytes: number): PlannedTable => ({
  schema: 'public',
  name,
  isPartitioned: false,
  columns: ['id'],
  heaps: [{ schema: 'public', name, bytes, blocks: Math.ceil(bytes / BLOCK) }],
  rowEstimate: 1,
  replicaIdentity: 'default',
});

const options = { jobs: 2, splitBytes: 2048 * MB, mayUseRanges: true, formatOf: () => 'binary' as const };

test('small databases are copied table by table, largest first', () => {
  const parts = planParts([table('small', MB), table('large', 60 * MB), table('empty', 0)], options);
  expect(parts.map((part) => part.heap.name)).toEqual(['large', 'small', 'empty']);
  expect(parts.every((part) => part.blocks === undefined)).toBe(true);
});

test('a table that would keep one worker busy alone is cut for all of them', () => {
  const parts = planParts([table('large', 1400 * MB), table('b', 200 * MB), table('c', 200 * MB)], options);
  const ranges = parts.filter((part) => part.heap.name === 'large');
  expect(ranges.length).toBeGreaterThanOrEqual(4);
  expect(parts.filter((part) => part.heap.name !== 'large').every((part) => part.blocks === undefined)).toBe(
    true,
  );
  expect(parts.slice(0, ranges.length)).toEqual(ranges);
});

test('a table that one worker copies while the others copy the rest stays whole', () => {
  const parts = planParts([table('large', 1200 * MB), table('b', 500 * MB), table('c', 300 * MB)], options);
  expect(parts.map((part) => [part.heap.name, part.blocks])).toEqual([
    ['large', undefined],
    ['b', undefined],
    ['c', undefined],
  ]);
});

test('a source that cannot read ranges is not asked to', () => {
  const parts = planParts([table('large', 5000 * MB)], { ...options, mayUseRanges: false });
  expect(parts).toHaveLength(1);
});

test('one job cuts only what is larger than splitBytes', () => {
  expect(planParts([table('t', 2000 * MB)], { ...options, jobs: 1 })).toHaveLength(1);
  expect(planParts([table('t', 5000 * MB)], { ...options, jobs: 1 })).toHaveLength(3);
});

test('ranges of a heap follow each other without gap or overlap, and the last one is open', () => {
  fc.assert(
    fc.property(
      fc.record({ blocks: fc.integer({ min: 0, max: 10_000 }), toast: fc.nat(100 * MB) }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: MB, max: 300 * MB }),
      ({ blocks, toast }, jobs, splitBytes) => {
        const heap = { schema: 's', name: 't', blocks, bytes: blocks * BLOCK + toast };
        const parts = planParts([{ ...table('t', 0), heaps: [heap] }], { ...options, jobs, splitBytes });
        const ranges = parts.map((part) => part.blocks ?? { from: 0 });
        expect(ranges[0]?.from).toBe(0);
        ranges.forEach((range, index) => {
          expect('to' in range ? range.to : undefined).toBe(ranges[index + 1]?.from);
          if ('to' in range) expect(range.to).toBeGreaterThan(range.from);
        });
        expect(new Set(parts.map((part) => part.id)).size).toBe(parts.length);
        const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
        expect(Math.abs(bytes - heap.bytes)).toBeLessThanOrEqual(parts.length);
      },
    ),
    { numRuns: 200 },
  );
});

test('a partition tree has the parts of its leaves; one without leaves still has one', () => {
  const leaves = [1, 2].map((n) => ({ schema: 'l', name: `leaf${n}`, bytes: n * MB, blocks: n * 128 }));
  const tree = { ...table('tree', 0), isPartitioned: true, heaps: leaves };
  const bare = { ...table('bare', 0), isPartitioned: true, heaps: [] };
  expect(planParts([tree, bare], options).map((part) => [part.table.name, part.heap.name])).toEqual([
    ['tree', 'leaf2'],
    ['tree', 'leaf1'],
    ['bare', 'bare'],
  ]);
});

test('the ids of tables whose names contain each other’s dots differ', () => {
  const a = { ...table('x', 0), schema: 'a.b', name: 'c' };
  const b = { ...table('x', 0), schema: 'a', name: 'b.c' };
  const heaps = (t: PlannedTable) => ({
    ...t,
    heaps: [{ schema: t.schema, name: t.name, bytes: 0, blocks: 0 }],
  });
  expect(new Set(planParts([heaps(a), heaps(b)], options).map((part) => part.id)).size).toBe(2);
});

test('large parts go alone, small ones together, none twice', () => {
  const tables = [table('large', 50 * MB), ...Array.from({ length: 120 }, (_, n) => table(`t${n}`, 1000))];
  const queue = new PartQueue(planParts(tables, options));
  const batches = [];
  while (!queue.isEmpty) batches.push(queue.take());
  expect(batches.map((batch) => batch.length)).toEqual([1, 50, 50, 20]);
  expect(new Set(batches.flat()).size).toBe(121);
  expect(queue.take()).toEqual([]);
});

test('numbers that are none lose no table', () => {
  for (const broken of [{ jobs: Number.NaN }, { splitBytes: Number.NaN }])
    expect(planParts([table('t', 5000 * MB)], { ...options, ...broken })).toHaveLength(1);
});
