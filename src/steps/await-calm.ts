import { randomUUID } from 'node:crypto';
import { sleep } from '../base/async.ts';
import { letHeapGrow } from '../base/small-heap.ts';
import { isCalm } from '../domain/calm.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';
import { letVacuumsYield } from '../postgres/yielding-vacuum.ts';

/** Not waited for longer: a system that is never calm is switched all the same. */
const MOST_MS = 2000;
const BETWEEN_MS = 40;

/**
 * The preparation has cost both servers work. Waits until markers travel as fast as they do at their best, so that the pause
 * does not begin on top of a queue that the preparation made. Nobody waits for it but the operator.
 */
export const awaitCalm: SwitchoverStep = {
  id: 'await-calm',
  title: 'Both servers calm again',
  describe: () => [`time markers for up to ${MOST_MS} ms`],

  async run(context) {
    await letVacuumsYield(context.oldSide, context.tables);
    // What the preparation has left behind would otherwise be collected in the pause, for twice as long as a step takes.
    letHeapGrow();
    const started = performance.now();
    const timesMs: number[] = [];
    while (!isCalm(timesMs) && performance.now() - started < MOST_MS) {
      timesMs.push(await markerMs(context));
      await sleep(BETWEEN_MS, context.signal);
    }
    return `a marker takes ${(timesMs.at(-1) ?? 0).toFixed(1)} ms`;
  },
};

async function markerMs({ oldSide, newSide, outLanes, signal }: SwitchoverContext): Promise<number> {
  const markers = outLanes.map((lane) => lane.marker);
  const token = randomUUID();
  const started = performance.now();
  await writeMarkers(oldSide, markers, token);
  await awaitMarkers(newSide, markers, token, { timeoutMs: MOST_MS, intervalMs: 1, signal });
  return performance.now() - started;
}
