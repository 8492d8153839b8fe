/** What stands between application and database, whoever it is: the switchover knows only this. */

import type { TrafficWaits } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import type { TrafficRequests } from '../domain/traffic-requests.ts';

/** One session that stands in the way, for people. */
export interface Obstacle {
  readonly pid: number | undefined;
  readonly user: string;
  readonly what: string;
  readonly query: string | undefined;
}

export interface TrafficState {
  readonly activeSide: Side;
  /** The newest that any part of the switch knows. */
  readonly epoch: number;
  readonly paused: boolean;
  readonly sessions: number;
  /** Where the switch counts them. */
  readonly requests?: TrafficRequests;
  /** One line for status: "proxy unix:... 12 sessions". */
  readonly description: string;
}

export interface Drained {
  readonly drained: boolean;
  readonly obstacles: readonly Obstacle[];
}

/** All times in ms. Every method rejects with UnreachableError when the switch cannot be reached. */
export interface TrafficSwitch extends AsyncDisposable {
  observe(): Promise<TrafficState>;
  /** Opens, authenticates and warms what will be needed on `to`. Causes no wait. */
  prepare(to: Side): Promise<{
    readonly ready: number;
    readonly obstacles: readonly Obstacle[];
    readonly failures: readonly string[];
  }>;
  /** Holds new transactions, waits for running ones. The hold ends by itself after `leaseMs` without renew(). */
  pause(options: {
    readonly reason: string;
    readonly leaseMs: number;
    readonly drainTimeoutMs: number;
  }): Promise<Drained>;
  renew(leaseMs: number): Promise<void>;
  /** The commit point is about to be written: an ended lease must now ask the migration row. */
  committing(to: Side, epoch: number): Promise<void>;
  /** Serves on `side` and releases everything this owner held. Safe to repeat. */
  resume(side: Side, epoch: number): Promise<{ readonly waits: TrafficWaits; readonly pauseMs: number }>;
  /**
   * Before the commit point, where several programs were paused: each that answers goes on where it is. Where this is missing,
   * resume() of what observe() tells does it.
   */
  goOnInPlace?(): Promise<void>;
}
