import { randomUUID } from 'node:crypto';
import { allOrAborted } from '../base/async.ts';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { awaitMarkers, writeMarkers } from '../postgres/marker.ts';

/**
 * Writes the marker behind the last write of the old side and waits until it shows on the new side: then all
 * has arrived. Never judged by sent_lsn, which says nothing about what was applied.
 *
 * @throws {SwitchoverAbortedError} `link_too_slow`
 */
export const drainReplication: SwitchoverStep = {
  id: 'drain-replication',
  title: 'Everything has arrived on the new side',
  describe: ({ from, to }) => [`write the marker on the ${from}; wait for it on the ${to}`],

  async run(context) {
    const markers = context.outLanes.map((lane) => lane.marker);
    const token = randomUUID();
    // Waited for while it is written: the answer to the writing is one more way there and back.
    const [drained, arrived] = await allOrAborted(context.signal, (signal) => [
      writeMarkers(context.oldSide, markers, token),
      awaitMarkers(context.newSide, markers, token, {
        timeoutMs: context.remainingMs(),
        intervalMs: 1,
        signal,
      }),
    ]);
    context.facts.drainedLsn = drained;
    context.facts.arrivedLsn = arrived;
    if (context.facts.arrivedLsn !== undefined) return context.facts.drainedLsn;
    throw new SwitchoverAbortedError(
      'link_too_slow',
      `The ${context.to} had not applied everything within ${context.pauseBudgetMs} ms`,
      { hint: 'Try again when the lag is smaller (pgglide status -w), or raise cutover.pauseBudget.' },
    );
  },
};
