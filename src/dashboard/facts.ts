/** What the dashboard gets to know, through functions that it is handed: it opens no connection itself. */

import type { JournalEntry } from '../domain/event.ts';
import type { MigrationStatus } from '../observers/status.ts';
import type { TableState } from '../observers/table-state.ts';

export interface Seen {
  readonly status: MigrationStatus;
  /** Undefined: not looked at, nothing has changed. */
  readonly tables: readonly TableState[] | undefined;
  /** Those after the one that was named. */
  readonly journal: readonly JournalEntry[];
}

export interface Known {
  readonly afterEventId: number;
  readonly withTables: boolean;
}

export interface Facts {
  /** Rejects when the servers cannot be asked. */
  look(known: Known): Promise<Seen>;
  /** Nobody looks any more, or the last look failed: sessions are closed, and opened again by the next look. */
  rest(): Promise<void>;
}
