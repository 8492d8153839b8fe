import { expect, test } from 'vitest';
import {
  formatBytes,
  formatBytesOf,
  formatClock,
  formatCount,
  formatDuration,
  formatPercent,
} from './quantity.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 kB'],
  [1536, '1.5 kB'],
  [118 * 1024 ** 2, '118 MB'],
  [1024 ** 2 - 1, '1024 kB'],
  [42.1 * 1024 ** 3, '42.1 GB'],
  [3 * 1024 ** 5, '3072 TB'],
])('%d bytes', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('done and whole share a unit', () => {
  expect(formatBytesOf(25.7 * 1024 ** 3, 42.1 * 1024 ** 3)).toBe('25.7/42.1 GB');
  expect(formatBytesOf(0, 0)).toBe('0/0 B');
});

test.each([
  [0, '00:00'],
  [401_000, '06:41'],
  [3_999_000, '1:06:39'],
])('%d ms on the clock', (ms, text) => {
  expect(formatClock(ms)).toBe(text);
});

test.each([
  [0.234, '0.2 ms'],
  [8, '8 ms'],
  [149.6, '150 ms'],
  [2012, '2 s'],
  [2100, '2.1 s'],
  [12_000, '12s'],
  [250_000, '4m10s'],
  [11_520_000, '3h12m'],
  [200_000_000, '2d7h'],
])('%d ms as a duration', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('counts and shares', () => {
  expect(formatCount(447_120)).toBe('447 120');
  expect(formatCount(12)).toBe('12');
  expect(formatCount(1_234_567.4)).toBe('1 234 567');
  expect(formatPercent(0.614)).toBe('61%');
  expect(formatPercent(0.614, 1)).toBe('61.4%');
});
