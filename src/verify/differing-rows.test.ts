import fc from 'fast-check';
import { expect, test } from 'vitest';
import { affordableBuckets, bucketCount, type FoundRow, surplus } from './differing-rows.ts';

test('buckets are a power of two, of about a hundred rows, and not too many', () => {
  expect([0, 1, 128, 129, 1_000, 1_000_000, 10_000_000_000].map(bucketCount)).toEqual([
    1, 1, 1, 2, 8, 8_192, 65_536,
  ]);
});

test('at least one bucket is looked at, and all of a small table', () => {
  expect(affordableBuckets(10_000_000_000, 65_536)).toBe(1);
  expect(affordableBuckets(1_000, 8)).toBeGreaterThanOrEqual(8);
});

const rows = fc.array(
  fc.record({
    hash: fc.constantFrom('1', '2', '3'),
    key: fc.array(fc.constantFrom('a', 'b'), { maxLength: 1 }),
  }),
);

test('surplus is what is left when equal rows are taken away in pairs', () => {
  fc.assert(
    fc.property(rows, rows, (a, b) => {
      const count = (list: readonly FoundRow[], row: FoundRow) =>
        list.filter((other) => JSON.stringify(other) === JSON.stringify(row)).length;
      const left = surplus(a, b);
      for (const row of a) expect(count(left, row)).toBe(Math.max(0, count(a, row) - count(b, row)));
    }),
  );
});
