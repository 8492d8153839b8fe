/** What the dashboard knows at one moment, and what the next look makes of it. Pure. */

import { messageOf } from '../base/message-of.ts';
import type { JournalEntry } from '../domain/event.ts';
import type { MigrationStatus } from '../observers/status.ts';
import type { TableState } from '../observers/table-state.ts';
import type { Known, Seen } from './facts.ts';
import { addSample, type Sample } from './sample.ts';

export interface Snapshot {
  /** Undefined: the servers have not been seen yet. */
  readonly status: MigrationStatus | undefined;
  readonly seenAtMs: number | undefined;
  /** Why the servers cannot be seen now. */
  readonly problem: string | undefined;
  readonly tables: readonly TableState[];
  /** Grows with every change of the tables: readers are sent only what they have not got. */
  readonly tablesVersion: number;
  readonly journal: readonly JournalEntry[];
  /** Changes when the journal begins anew, as after an abort. */
  readonly journalVersion: number;
  readonly samples: readonly Sample[];
}

export const NOTHING_SEEN: Snapshot = {
  status: undefined,
  seenAtMs: undefined,
  problem: undefined,
  tables: [],
  tablesVersion: 0,
  journal: [],
  journalVersion: 0,
  samples: [],
};

/** Tables change while they are copied, and with what happens; a list of thousands is not read for nothing. */
export const toBeKnown = ({ status, journal }: Snapshot, seenEvents: number): Known => ({
  // The last one comes once more: by that the next look knows whether it is the same journal.
  afterEventId: (journal.at(-1)?.id ?? 1) - 1,
  withTables: status === undefined || status.phase === 'syncing' || journal.length !== seenEvents,
});

export function afterLook(before: Snapshot, seen: Seen, nowMs: number): Snapshot {
  const last = before.journal.at(-1);
  const [first, ...later] = seen.journal;
  // An abort takes the journal away: the next migration's begins anew, perhaps before anybody looks.
  const isAnew = last !== undefined && (first?.id !== last.id || first.event.at !== last.event.at);
  const journal = last === undefined ? seen.journal : [...before.journal, ...later];
  const tables = seen.tables ?? before.tables;
  return {
    status: seen.status,
    seenAtMs: nowMs,
    problem: undefined,
    tables,
    tablesVersion: before.tablesVersion + (sameTables(before.tables, tables) ? 0 : 1),
    journal: isAnew ? [] : journal,
    journalVersion: before.journalVersion + (isAnew ? 1 : 0),
    samples: addSample(before.samples, seen.status, nowMs),
  };
}

export const afterFailure = (before: Snapshot, error: unknown): Snapshot => ({
  ...before,
  problem: messageOf(error),
});

function sameTables(before: readonly TableState[], after: readonly TableState[]): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}
