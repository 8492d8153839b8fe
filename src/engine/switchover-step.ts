/** The switchover's own kind of step: run once, in order, undone in reverse until the commit point, repeatable after it. */

import type { StepTime, SwitchoverDirection, TrafficWaits } from '../domain/event.ts';
import type { Lsn } from '../domain/lsn.ts';
import type { LaneNames, Side } from '../domain/names.ts';
import type { LinkedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import type { FencedRelation } from '../postgres/fence.ts';
import type { LargeObject } from '../postgres/large-object.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import type { StepContext } from './step.ts';

/** What the steps find out for each other. Each names the step that fills it. */
export interface SwitchoverFacts {
  /** prepare-return-link */
  returnLanes: readonly LaneNames[] | undefined;
  /** Their replication origins on the old side. */
  returnOrigins: readonly string[];
  /** renew-large-objects: what both sides had when they were found equal. */
  largeObjects: { readonly summary: string; readonly all: readonly LargeObject[] } | undefined;
  /** check-drift-again: another one in the pause, and DDL was run on the old side. Undefined: not asked. */
  ddlSign: string | undefined;
  /** open-sessions */
  barrier: Connection | undefined;
  pins: Readonly<Record<Side, Connection>> | undefined;
  lift: Connection | undefined;
  /** Asks the old side for late DDL while the barrier's session has other work. */
  ddlWatch: Connection | undefined;
  /** The shortest one on the old side. */
  deadlockTimeoutMs: number;
  /** hang-fence: what could not get its trigger before the pause. */
  unfenced: FencedRelation[];
  /** raise-barrier: whether the lock is held now. */
  barrierHeld: boolean;
  /** fence-old-side: the fence stands on the old side, or may stand. */
  fenceBegun: boolean;
  /** open-new-side: the link is disabled in a transaction that waits for the commit point. */
  liftHeld: boolean;
  /** drain-replication: the old side's position that has arrived on the new side. */
  drainedLsn: Lsn;
  /** drain-replication: the new side's position then, behind all that it has applied and before any write of its own. */
  arrivedLsn: Lsn | undefined;
  /** pin-snapshots */
  snapshots: Readonly<Record<Side, string>> | undefined;
  /** carry-sequences */
  sequenceCount: number;
  /** pause-traffic / resume-traffic, for the report */
  pauseStartedMs: number | undefined;
  /** ISO 8601 */
  pausedAt: string | undefined;
  resumedAt: string | undefined;
  waits: TrafficWaits | undefined;
  pauseMs: number;
  /** Steps of the pause whose events wait for its end: writing them costs time that requests would wait. */
  untold: StepTime[];
  /** The step that runs or ran last. */
  lastStep: string;
  /** commit-switch */
  isCommitted: boolean;
  /** Given up, and everything that was begun has been undone. */
  isUndone: boolean;
}

export interface SwitchoverContext extends StepContext {
  readonly direction: SwitchoverDirection;
  /** The old side, active until the commit point. */
  readonly from: Side;
  /** The new side. */
  readonly to: Side;
  readonly oldSide: Connection;
  readonly newSide: Connection;
  /** Of the lead database: its session on the target has the runner's lock. */
  readonly lead: Pick<StepContext, 'migration' | 'target' | 'open'>;
  /** The epoch that the commit point writes. */
  readonly epoch: number;
  /** Lanes of the link from the old side to the new one. */
  readonly outLanes: readonly LaneNames[];
  readonly tables: readonly LinkedTable[];
  readonly traffic: TrafficSwitch;
  readonly pauseBudgetMs: number;
  readonly facts: SwitchoverFacts;
  /** What is left of the pause budget, ms; never negative. */
  remainingMs(): number;
}

/** A switchover of one database or of several that move together: the context is the lead's. */
export interface Switchover extends SwitchoverContext {
  /** One context a database, each with its own facts; the lead's first. */
  readonly databases: readonly SwitchoverContext[];
}

export interface SwitchoverStep {
  readonly id: string;
  readonly title: string;
  /** Done once for the whole migration, with the lead's context; all others for each database, all at once. */
  readonly isForAll?: true;
  /** For `--dry-run`: what it would do, one line each. Pure. */
  describe(
    context: Pick<SwitchoverContext, 'from' | 'to' | 'tables' | 'outLanes' | 'plan'>,
  ): readonly string[];
  /** @returns a note for the view, such as "4 tables" */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step without a note simply returns
  run(context: SwitchoverContext): Promise<string | void>;
  /** Before the commit point only. Must work when run() failed half-way. */
  undo?(context: SwitchoverContext): Promise<void>;
}
