import { expect, test } from 'vitest';
import { parseBytes, parseDurationMs, parseRate } from './units.ts';

test.each([
  ['2GB', 2 * 1024 ** 3],
  ['512 kB', 512 * 1024],
  ['1.5mb', 1.5 * 1024 ** 2],
  ['0', 0],
  [0, 0],
  ['4096B', 4096],
  // Twenty what? As bytes it would stop a copy, or drop its slot.
  [4096, undefined],
  ['20', undefined],
  ['1TiB', 1024 ** 4],
  ['', undefined],
  ['2 G B', undefined],
  ['-1GB', undefined],
  ['1PBB', undefined],
])('size %s', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  ['200MB/s', 200 * 1024 ** 2],
  ['200MB / s', 200 * 1024 ** 2],
  ['1kB', 1024],
  ['fast', undefined],
  ['20', undefined],
  ['0', 0],
])('rate %s', (text, bytes) => {
  expect(parseRate(text)).toBe(bytes);
});

test.each([
  ['2s', 2000],
  ['250ms', 250],
  ['10min', 600_000],
  ['10m', 600_000],
  ['24h', 86_400_000],
  ['1.5 d', 129_600_000],
  [0, 0],
  ['0', 0],
  ['', undefined],
  [5, undefined],
  ['5', undefined],
  ['soon', undefined],
])('duration %s', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});
