/** Where a traffic switch is not there yet: it is put between application and database, and taken out again. */

import type { Side } from '../domain/names.ts';

/** `in`: the application goes through it, in health or not. `out`: nothing of it is there. `between`: on the way to either. */
export interface PlacementState {
  readonly place: 'in' | 'out' | 'between';
  /** What is still awaited, for people. */
  readonly waitingFor: string | undefined;
}

export interface TrafficPlacement {
  /** One line each, for plan and dry run. Pure. */
  describe(direction: 'in' | 'out'): readonly string[];
  /** Reads only. */
  observe(): Promise<PlacementState>;
  /**
   * Safe to repeat. What does not come true is undone before the error is thrown, back to the database of `active`;
   * an application that went through it before goes on through it.
   * @throws {SwitchoverAbortedError} `rollout_stuck`
   * @throws {RefusedError} `application_taken`
   * @throws {PrerequisiteError} `application_*`, `cluster_*`
   */
  putIn(active: Side, signal: AbortSignal): Promise<void>;
  /** Points the application straight at the database of `active`. Throws like `putIn`, and undoes like it. */
  takeOut(active: Side, signal: AbortSignal): Promise<void>;
}
