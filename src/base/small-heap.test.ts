import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** In a process of its own: how often V8 collects depends on all that its heap holds, and on what was collected before. */
const PROGRAM = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { keepHeapSmall, letHeapGrow, shrinkHeap } from './src/base/small-heap.ts';

  let collections = 0;
  const isMajor = ({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
  new PerformanceObserver((list) => { collections += list.getEntries().filter(isMajor).length; }).observe({ type: 'gc' });
  const rows = (count) => Array.from({ length: count }, (_, i) => ({ schema: 'public', name: 'table_' + i, columns: ['id', 'at'] }));
  const collectionsIn = async (rounds) => {
    await sleep(10);
    collections = 0;
    for (let round = 0; round < rounds; round++) {
      globalThis.held = rows(30_000);
      await sleep(1);
    }
    await sleep(10);
    return collections;
  };

  globalThis.plan = rows(100_000);
  keepHeapSmall();
  shrinkHeap();
  const before = await collectionsIn(25);
  letHeapGrow();
  const inPause = await collectionsIn(10);
  shrinkHeap();
  console.log(JSON.stringify({ before, inPause, behind: await collectionsIn(25) }));
`;

test('the heap is collected often, not in a pause, and often again', async () => {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { before, inPause, behind } = JSON.parse(stdout);
  expect(inPause).toBe(0);
  expect(before).toBeGreaterThan(2);
  expect(behind).toBeGreaterThan(2);
});
