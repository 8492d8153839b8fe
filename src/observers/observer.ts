/** A reader of the event stream. It can show and write, and reaches no database. */

import type { MigrationEvent } from '../domain/event.ts';

export interface Observer {
  onEvent(event: MigrationEvent): void;
  /** Something else is about to be written to the same screen: what is not final goes, until the next event. */
  clear(): void;
  /** The last line is written, the terminal is as it was. */
  close(): void;
}

export interface Sink {
  write(text: string): boolean;
}
