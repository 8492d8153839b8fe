/** When each step of a switchover ended, counted from the moment at which requests began to wait. Pure. */

import type { MigrationEvent, StepTime } from '../domain/event.ts';

export interface HeldStep extends StepTime {
  /** Undefined for a step during which nobody waited. */
  readonly heldMs?: number;
}

export interface HeldSteps {
  readonly steps: readonly HeldStep[];
  readonly pausedSinceMs: number | undefined;
}

export const NO_STEPS: HeldSteps = { steps: [], pausedSinceMs: undefined };

/** Steps of the pause run at once, so their lengths do not add up: the events' own times are compared. */
export function addHeldStep(
  { steps, pausedSinceMs }: HeldSteps,
  event: Extract<MigrationEvent, { type: 'switchover-step' }>,
): HeldSteps {
  const { step } = event.data;
  if (!step.paused) return { steps: [...steps, step], pausedSinceMs };
  const endedMs = Date.parse(event.at);
  const since = pausedSinceMs ?? endedMs - step.ms;
  return { steps: [...steps, { ...step, heldMs: endedMs - since }], pausedSinceMs: since };
}
