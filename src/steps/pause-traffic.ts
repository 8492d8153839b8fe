import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { describeObstacles } from '../traffic/obstacles.ts';

/** Renewed by the switchover while it works: a dead owner's pause ends after this long. */
export const LEASE_MS = 3000;

/**
 * Holds new transactions in front of the old side and waits until the running ones have finished.
 * Nobody is refused. Undo lets traffic go on where it was.
 *
 * @throws {SwitchoverAbortedError} `drain_timeout`, listing who did not finish
 */
export const pauseTraffic: SwitchoverStep = {
  id: 'pause-traffic',
  title: 'Hold new transactions, let running ones finish',
  isForAll: true,
  describe: () => ['hold new transactions in the traffic switch; wait for running ones'],

  async run(context) {
    context.facts.pauseStartedMs = performance.now();
    context.facts.pausedAt = new Date().toISOString();
    const { drained, obstacles } = await context.traffic.pause({
      reason: `${context.direction} of ${context.migration}`,
      leaseMs: LEASE_MS,
      drainTimeoutMs: Math.floor(context.remainingMs()),
    });
    if (drained) return;
    throw new SwitchoverAbortedError(
      'drain_timeout',
      `Transactions did not finish within ${context.pauseBudgetMs} ms: ${describeObstacles(obstacles)}`,
      { hint: 'End them or wait for them, or raise cutover.pauseBudget; then try again.' },
    );
  },

  async undo({ traffic, from, epoch, facts }) {
    const { waits, pauseMs } = await traffic.resume(from, epoch - 1);
    facts.waits = waits;
    facts.pauseMs = pauseMs;
    facts.resumedAt = new Date().toISOString();
  },
};
