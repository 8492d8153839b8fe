import { expect, test } from 'vitest';
import type { CopyPart } from './parts.ts';
import { CopyMeter } from './progress.ts';

const part = (table: string, id: string, bytes: number): CopyPart => ({
  id,
  table: {
    schema: 'public',
    name: table,
    isPartitioned: false,
    columns: [],
    heaps: [],
    rowEstimate: 0,
    replicaIdentity: 'none',
  },
  heap: { schema: 'public', name: table, bytes, blocks: 1 },
  format: 'binary',
  bytes,
});

test('bytes and rows add up over parts, running and finished', () => {
  const [a1, a2, b] = [part('a', 'a1', 100), part('a', 'a2', 100), part('b', 'b', 50)] as const;
  const meter = new CopyMeter([a1, a2, b], 0);
  meter.passed(a1, 40, 4);
  meter.passed(a2, 500, 7);
  expect(meter.progress(1000)).toEqual({
    bytes: 140,
    totalBytes: 250,
    rows: 11,
    tablesDone: 0,
    tables: 2,
    running: [{ table: 'public.a', bytes: 140, totalBytes: 200, rows: 11, partsDone: 0, parts: 2 }],
    bytesPerSecond: 140,
    elapsedMs: 1000,
  });
  expect(meter.finished(a1, 3)).toBe(false);
  expect(meter.finished(a2, 6)).toBe(true);
  expect(meter.finished(b, 0)).toBe(true);
  expect(meter.progress(2000)).toMatchObject({ bytes: 250, rows: 9, tablesDone: 2, running: [] });
});

test('the rate is that of the last seconds', () => {
  const big = part('a', 'a', 1e9);
  const meter = new CopyMeter([big], 0);
  let nowMs = 0;
  for (let second = 0; second < 20; second++) {
    nowMs += 1000;
    if (second < 10) meter.passed(big, 1000, 1);
    meter.progress(nowMs);
  }
  expect(meter.progress(nowMs + 1).bytesPerSecond).toBe(0);
});
