import { expect, test } from 'vitest';
import { copiedFraction } from './copied-fraction.ts';

test.each([
  ['nothing yet', { parts: 2, partsDone: 0, rowCount: 0, rowEstimate: 100 }, 0],
  ['rows under way', { parts: 1, partsDone: 0, rowCount: 40, rowEstimate: 100 }, 0.4],
  ['more rows than estimated', { parts: 1, partsDone: 0, rowCount: 500, rowEstimate: 100 }, 0.99],
  ['never analyzed: by parts', { parts: 4, partsDone: 1, rowCount: 500, rowEstimate: -1 }, 0.25],
  ['an empty table that is done', { parts: 1, partsDone: 1, rowCount: 0, rowEstimate: 0 }, 1],
  ['done, whatever was estimated', { parts: 2, partsDone: 2, rowCount: 5, rowEstimate: 100 }, 1],
])('%s', (_, parts, fraction) => {
  expect(copiedFraction(parts)).toBe(fraction);
});
