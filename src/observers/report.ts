/** The account of a migration: a fold over its journal and a few facts. Pure. */

import {
  databasePrefix,
  type EventMap,
  type MigrationEvent,
  type SwitchoverDirection,
  type SwitchoverSummary,
  type VerificationSummary,
} from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import type { Phase } from '../domain/phase.ts';
import { schemaChangeText } from '../domain/schema-change.ts';
import type { ServerStatus } from './status.ts';

/** What the journal does not say. */
export interface ReportFacts {
  readonly migration: string;
  /** ISO 8601, UTC. */
  readonly generatedAt: string;
  readonly pgglideVersion: string;
  readonly phase: Phase;
  readonly activeSide: Side;
  readonly source: ServerStatus;
  readonly target: ServerStatus;
  readonly sequences: number;
  readonly notCarried: readonly { readonly object: string; readonly reason: string }[];
}

export interface ReportedSwitchover extends SwitchoverSummary {
  /** ISO 8601, UTC: when it was over. */
  readonly at: string;
}

export interface AbortedSwitchover {
  readonly at: string;
  readonly direction: SwitchoverDirection;
  readonly step: string;
  readonly code: string;
  readonly message: string;
  readonly pauseMs: number;
}

export interface ReportedVerification extends VerificationSummary {
  readonly at: string;
}

export interface ReportData extends ReportFacts {
  readonly outcome: 'success' | 'rolled back' | 'in progress' | 'completed' | 'aborted';
  readonly startedAt: string | undefined;
  readonly timeline: readonly { readonly at: string; readonly what: string }[];
  /** All copies together: after a crash there may be several. */
  readonly copy: EventMap['copy-finished'] | undefined;
  readonly switchovers: readonly ReportedSwitchover[];
  readonly aborted: readonly AbortedSwitchover[];
  readonly verifications: readonly ReportedVerification[];
  readonly requests: {
    readonly held: number;
    readonly failed: number;
    readonly longestWaitMs: number;
  };
  readonly warnings: readonly EventMap['warning'][];
  /** What to type to return, or why there is no way back. */
  readonly wayBack: string;
}

export function buildReport(events: readonly MigrationEvent[], facts: ReportFacts): ReportData {
  const switchovers = finishedSwitchovers(events);
  const real = switchovers.filter((switchover) => switchover.direction !== 'rehearsal');
  return {
    ...facts,
    outcome: outcomeOf(facts.phase, real.length > 0),
    startedAt: events[0]?.at,
    timeline: events.flatMap((event) => {
      const what = milestone(event);
      return what === undefined ? [] : [{ at: event.at, what }];
    }),
    copy: totalCopy(events),
    switchovers,
    aborted: events.flatMap((event) =>
      event.type === 'switchover-aborted' ? [{ at: event.at, ...event.data }] : [],
    ),
    verifications: events.flatMap((event) =>
      event.type === 'verification-finished' ? [{ at: event.at, ...event.data }] : [],
    ),
    requests: {
      held: sum(switchovers.map(({ waits }) => waits.heldRequests)),
      failed: sum(switchovers.map(({ waits }) => waits.failedRequests)),
      longestWaitMs: Math.max(0, ...switchovers.map(({ waits }) => waits.longestWaitMs)),
    },
    warnings: events.flatMap((event) => (event.type === 'warning' ? [event.data] : [])),
    wayBack: wayBack(facts.phase, real.length > 0),
  };
}

const finishedSwitchovers = (events: readonly MigrationEvent[]): ReportedSwitchover[] =>
  events.flatMap((event) => (event.type === 'switchover-finished' ? [{ at: event.at, ...event.data }] : []));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function outcomeOf(phase: Phase, hasSwitched: boolean): ReportData['outcome'] {
  if (phase === 'switched') return 'success';
  if (phase === 'completed' || phase === 'aborted') return phase;
  return hasSwitched ? 'rolled back' : 'in progress';
}

function wayBack(phase: Phase, hasSwitched: boolean): string {
  switch (phase) {
    case 'switched':
      return 'pgglide rollback: sends traffic back to the source; every write made on the target is there already';
    case 'completed':
      return 'none: reverse replication was dropped by pgglide complete';
    case 'aborted':
      return 'not needed: the migration was given up, the source was never changed';
    default:
      return hasSwitched
        ? 'not needed: traffic is back on the source. pgglide cutover switches again, pgglide abort gives up'
        : 'not needed: traffic never left the source. pgglide abort removes everything we made';
  }
}

function totalCopy(events: readonly MigrationEvent[]): EventMap['copy-finished'] | undefined {
  const copies = events.flatMap((event) => (event.type === 'copy-finished' ? [event.data] : []));
  if (copies.length === 0) return undefined;
  return {
    tables: sum(copies.map((copy) => copy.tables)),
    rows: sum(copies.map((copy) => copy.rows)),
    bytes: sum(copies.map((copy) => copy.bytes)),
    seconds: sum(copies.map((copy) => copy.seconds)),
  };
}

/** What belongs into the timeline; steps that found nothing to do and samples do not. */
function milestone(event: MigrationEvent): string | undefined {
  switch (event.type) {
    case 'phase-changed':
      return `phase ${event.data.from} -> ${event.data.to}`;
    case 'step-finished':
      return event.data.outcome === 'changed' ? databasePrefix(event.data) + event.data.title : undefined;
    case 'step-failed':
      return `${databasePrefix(event.data)}${event.data.title}: failed (${event.data.code})`;
    case 'schema-changed':
      return `${databasePrefix(event.data)}${schemaChangeText(event.data)}`;
    case 'copy-finished':
      return `${databasePrefix(event.data)}copied ${event.data.tables} tables, ${event.data.rows} rows`;
    case 'verification-finished':
      return `verified: ${event.data.equal ? 'equal' : 'differences found'}`;
    case 'switchover-finished':
      return `${event.data.direction} done: held ${Math.round(event.data.pauseMs)} ms`;
    case 'switchover-aborted':
      return `${event.data.direction} given up at ${event.data.step} (${event.data.code})`;
    default:
      return undefined;
  }
}
