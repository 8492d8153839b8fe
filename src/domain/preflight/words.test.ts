import { expect, test } from 'vitest';
import { bytesInWords, counted, durationInWords, some } from './words.ts';

test.each([
  [900, '0 s'],
  [61_000, '1 min'],
  [11_520_000, '3 h 12 min'],
  [200_000_000, '2 days'],
])('%i ms', (ms, words) => {
  expect(durationInWords(ms)).toBe(words);
});

test.each([
  [0, '0 B'],
  [1536, '1.5 kB'],
  [16 * 1024 ** 2, '16 MB'],
  [5 * 1024 ** 5, '5120 TB'],
])('%i bytes', (bytes, words) => {
  expect(bytesInWords(bytes)).toBe(words);
});

test('lists are cut, counts agree', () => {
  expect(some(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  expect([counted(1, 'slot'), counted(2, 'process', 'processes')]).toEqual(['1 slot', '2 processes']);
});
