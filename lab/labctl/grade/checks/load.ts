/** What the clients saw, from the ledger. */

import type { CheckDefinition, Verdict } from '../types.ts';
import { clock, failuresOf, loadFault, longestWait, unanswered } from '../witness.ts';

/** The greatest number that still earns so many points. */
export function pointsFor(
  value: number,
  scale: readonly (readonly [limit: number, points: number])[],
): number {
  return scale.find(([limit]) => value <= limit)?.[1] ?? 0;
}

export const zeroFailed: CheckDefinition = {
  id: 'zero-failed',
  name: 'no request failed, from setup to now',
  points: 12,
  isStarred: true,
  needsSwitch: true,
  run: async ({ ledger, seals, ledgerReadAtMs }): Promise<Verdict> => {
    const waiting = unanswered(ledger, seals, ledgerReadAtMs);
    const { requests, failed: refused, firstAtMs = waiting[0] ?? 0, lastAtMs = 0 } = failuresOf(ledger);
    const failed = refused + waiting.length;
    const score = pointsFor(failed, [
      [0, 12],
      [5, 6],
      [50, 2],
    ]);
    if (failed === 0) return { score, output: `0 of ${requests} requests failed` };
    const until = clock(Math.max(lastAtMs, waiting.at(-1) ?? 0));
    return {
      score,
      output: `${failed} of ${requests + waiting.length} requests failed, between ${clock(firstAtMs)} and ${until}`,
      hint: 'task 5: requests were refused, not held. What stands between the shop and its database must let them wait.',
    };
  },
};

export const latencyPause: CheckDefinition = {
  id: 'latency-pause',
  name: 'no request waited longer than 2 s',
  points: 5,
  needsSwitch: true,
  run: async ({ ledger, seals, ledgerReadAtMs }): Promise<Verdict> => {
    const [waitingSinceMs = ledgerReadAtMs] = unanswered(ledger, seals, ledgerReadAtMs);
    const answered = longestWait(ledger);
    const waiting = { latencyMs: ledgerReadAtMs - waitingSinceMs, atMs: waitingSinceMs };
    const { latencyMs, atMs } = waiting.latencyMs > answered.latencyMs ? waiting : answered;
    const score = pointsFor(latencyMs, [
      [2_000, 5],
      [5_000, 2],
    ]);
    const output = `the longest wait was ${Math.round(latencyMs)} ms, at ${clock(atMs)}`;
    if (score === 5) return { score, output };
    return {
      score,
      output,
      hint: 'Do everything slow before the pause: schema, indexes, ANALYZE, the first copy.',
    };
  },
};

export const loadKept: CheckDefinition = {
  id: 'load-kept',
  name: 'the load ran at its rate all the time, and runs',
  points: 5,
  isStarred: true,
  needsSwitch: true,
  run: async ({ ledger, seals, ledgerReadAtMs, baseline, isLoadRunning }): Promise<Verdict> => {
    const fault =
      (isLoadRunning ? undefined : 'the load generator that setup started runs no more') ??
      (ledger.broken === undefined ? undefined : `its ledger was changed: ${ledger.broken}`) ??
      loadFault(ledger, seals, baseline, ledgerReadAtMs);
    if (fault === undefined)
      return {
        score: 5,
        output: `${ledger.header.rate} requests/s, every second of ${seals.at(-1)?.second ?? 0}`,
      };
    return {
      score: 0,
      output: fault,
      hint: 'The load is the customer: it is not yours to stop. setup.sh --reset begins anew.',
    };
  },
};
