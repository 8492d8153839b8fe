/** A switchover in figures, for result, journal and report. Pure. */

import type { StepTime, SwitchoverSummary, TrafficWaits } from '../domain/event.ts';
import type { Switchover } from '../engine/switchover-step.ts';

const NO_WAITS: TrafficWaits = {
  heldRequests: 0,
  longestWaitMs: 0,
  p50Ms: 0,
  p95Ms: 0,
  p99Ms: 0,
  failedRequests: 0,
  sessionsMoved: 0,
};

export function summarize(context: Switchover, steps: readonly StepTime[]): SwitchoverSummary {
  const { direction, from, to, epoch, facts, databases } = context;
  return {
    direction,
    from,
    to,
    epoch,
    pausedAt: facts.pausedAt,
    resumedAt: facts.resumedAt,
    pauseMs: facts.pauseMs,
    waits: facts.waits ?? NO_WAITS,
    steps,
    sequences: databases.reduce((sum, database) => sum + database.facts.sequenceCount, 0),
    drainedLsn: facts.drainedLsn,
  };
}
