import { expect, test } from 'vitest';
import { batches } from './verify-online.ts';

const table = (name: string, bytes: number) => ({
  schema: 's',
  name,
  isPartitioned: false,
  columns: [],
  heaps: [{ schema: 's', name, bytes, blocks: 1 }],
  rowEstimate: 0,
  replicaIdentity: 'default' as const,
});

const GIGABYTE = 2 ** 30;

test('a large table has its own snapshots, small ones share', () => {
  const tables = [
    table('a', 1),
    table('b', 5 * GIGABYTE),
    table('c', 1.5 * GIGABYTE),
    table('d', 0.4 * GIGABYTE),
  ];
  expect(batches(tables).map((batch) => batch.map(({ name }) => name))).toEqual([['b'], ['c', 'd', 'a']]);
  expect(batches([])).toEqual([]);
});

test('ten thousand tables in fifty batches', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => table(`t${index}`, 8_192));
  expect(batches(many)).toHaveLength(50);
});
