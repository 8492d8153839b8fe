/** What happened, as data. Every view (terminal, log, report, dashboard) is a fold over these. */

import type { Side } from './names.ts';
import type { Phase } from './phase.ts';
import type { SchemaChange } from './schema-change.ts';

export type SwitchoverDirection = 'cutover' | 'rollback' | 'rehearsal';

export interface CopyTableProgress {
  readonly table: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly rows: number;
  readonly partsDone: number;
  readonly parts: number;
}

/** Cumulative, so that a reader that lost samples loses nothing but smoothness. */
export interface CopyProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly rows: number;
  readonly tablesDone: number;
  readonly tables: number;
  readonly running: readonly CopyTableProgress[];
  readonly bytesPerSecond: number;
  readonly elapsedMs: number;
  /** What the copy stands still for; undefined: it goes on. */
  readonly pausedBy?: string | undefined;
}

export interface StepTime {
  readonly id: string;
  readonly title: string;
  /** How long the step took, in ms. */
  readonly ms: number;
  /** True when requests were waiting while it ran. */
  readonly paused: boolean;
  /** From the moment at which requests began to wait to the step's end, in ms. Steps of the pause run at once, so their lengths do not add up. */
  readonly heldMs?: number;
  readonly note?: string;
}

/** What the traffic switch saw between pause and resume. Times in ms. */
export interface TrafficWaits {
  readonly heldRequests: number;
  readonly longestWaitMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly failedRequests: number;
  readonly sessionsMoved: number;
}

export interface SwitchoverSummary {
  readonly direction: SwitchoverDirection;
  readonly from: Side;
  readonly to: Side;
  readonly epoch: number;
  /** ISO 8601: when requests began to wait, and when they were released. */
  readonly pausedAt?: string | undefined;
  readonly resumedAt?: string | undefined;
  /** From the first hold to the release, in ms. */
  readonly pauseMs: number;
  readonly waits: TrafficWaits;
  readonly steps: readonly StepTime[];
  readonly sequences: number;
  /** The publisher's WAL position that had arrived on the new side. */
  readonly drainedLsn: string;
}

export interface VerificationTable {
  readonly table: string;
  readonly equal: boolean;
  readonly sourceRows: number;
  readonly targetRows: number;
  /** Hex of the source's fingerprint; equal sides share it. */
  readonly fingerprint: string;
  readonly ms: number;
}

/** What the comparison of rows does not tell. */
export interface SchemaAgreement {
  /** Differences that were there at the first comparison of the schemas, and are known since. New ones end a verification. */
  readonly differences: readonly {
    readonly class: string;
    readonly object: string;
    readonly change: 'added' | 'dropped' | 'changed';
  }[];
  /** Stored generated columns, "schema.table.column": each server computes its own. */
  readonly generatedColumns: readonly string[];
}

export interface VerificationSummary {
  /** `pinned`: both sides in snapshots of one instant. `online`: under load, differences confirmed by re-reading. */
  readonly mode: 'pinned' | 'online';
  readonly equal: boolean;
  readonly tables: readonly VerificationTable[];
  readonly sequencesEqual: boolean | undefined;
  /** Of `online` ones, since this is looked at. */
  readonly schema?: SchemaAgreement;
  /** Which run of the server that follows was compared: what a restored backup lacks, its link does not bring again. */
  readonly followerRun?: string;
  readonly seconds: number;
}

/** Journaled before the run goes on, except those marked as samples. */
export interface EventMap {
  'phase-changed': { readonly from: Phase; readonly to: Phase };
  'step-started': { readonly step: string; readonly title: string };
  'step-waiting': { readonly step: string; readonly waitingFor: string };
  'step-finished': {
    readonly step: string;
    readonly title: string;
    readonly outcome: 'changed' | 'unchanged';
    readonly ms: number;
  };
  'step-failed': {
    readonly step: string;
    readonly title: string;
    readonly code: string;
    readonly message: string;
  };
  /** Sample: not journaled. */
  'copy-progress': CopyProgress;
  'copy-finished': {
    readonly tables: number;
    readonly rows: number;
    readonly bytes: number;
    readonly seconds: number;
  };
  /** Sample: not journaled. */
  'index-progress': { readonly done: number; readonly total: number; readonly running: readonly string[] };
  /** Sample: not journaled. */
  'lag-sampled': {
    readonly lagBytes: number;
    readonly lagMs: number | undefined;
    readonly retainedWalBytes: number;
  };
  /** Sample: not journaled. */
  'verify-progress': {
    readonly tablesDone: number;
    readonly tables: number;
    readonly rows: number;
    readonly table: string;
  };
  'verification-finished': VerificationSummary;
  'switchover-started': {
    readonly direction: SwitchoverDirection;
    readonly from: Side;
    readonly to: Side;
    readonly epoch: number;
  };
  'switchover-step': { readonly direction: SwitchoverDirection; readonly step: StepTime };
  'switchover-finished': SwitchoverSummary;
  'switchover-aborted': {
    readonly direction: SwitchoverDirection;
    readonly step: string;
    readonly code: string;
    readonly message: string;
    readonly pauseMs: number;
  };
  /** Once a change, by `sync --follow`: DDL is not replicated. */
  'schema-changed': SchemaChange;
  warning: { readonly code: string; readonly message: string; readonly hint?: string };
}

export type EventType = keyof EventMap;
export type MigrationEvent = {
  [K in EventType]: {
    readonly type: K /** ISO 8601, UTC. */;
    readonly at: string;
    /** `database`: the one it happened in, where several move together. */
    readonly data: EventMap[K] & { readonly database?: string };
  };
}[EventType];

/** Of the journal on the target. */
export interface JournalEntry {
  /** Grows with time. */
  readonly id: number;
  readonly event: MigrationEvent;
}

/** "billing: " where several databases move together, before what belongs to one of them. */
export const databasePrefix = ({ database }: { readonly database?: string }): string =>
  database === undefined ? '' : `${database}: `;

const SAMPLES: ReadonlySet<EventType> = new Set([
  'copy-progress',
  'index-progress',
  'lag-sampled',
  'verify-progress',
]);
/** Samples are shown and forgotten; all else is journaled. */
export const isSample = (type: EventType): boolean => SAMPLES.has(type);
