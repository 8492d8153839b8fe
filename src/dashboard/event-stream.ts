/** What one open page is sent: the whole at first, then what is new. A slow one gets fewer states, never fewer events. */

import type { JournalLine } from './journal-lines.ts';
import { JournalLines } from './journal-lines.ts';
import { type PageSettings, pageState } from './page-state.ts';
import type { Snapshot } from './snapshot.ts';
import type { Watch } from './watch.ts';

export interface Message {
  readonly event: 'state' | 'tables' | 'event' | 'samples' | 'anew';
  readonly id?: string;
  readonly data: string;
}

export interface StreamOptions {
  readonly watch: Watch;
  readonly settings: PageSettings;
  /** The last journal entry that the page has already. */
  readonly lastEventId: number;
  readonly signal: AbortSignal;
}

/** Until the signal; pull the next message when the one before is written. */
export async function* pageMessages({ watch, settings, lastEventId, signal }: StreamOptions) {
  using _ = watch.join();
  const sent = new Sent(lastEventId);
  for (let snapshot = watch.snapshot; !signal.aborted; snapshot = await watch.next(signal)) {
    yield* sent.since(snapshot);
    yield message('state', pageState(snapshot, settings, Date.now()));
  }
}

class Sent {
  #lastEventId: number;
  #lines = new JournalLines();
  #entries = 0;
  #journalVersion: number | undefined;
  #tablesVersion = -1;
  #hasSamples = false;

  constructor(lastEventId: number) {
    this.#lastEventId = lastEventId;
  }

  *since(snapshot: Snapshot): Generator<Message> {
    if (!this.#hasSamples) {
      this.#hasSamples = true;
      yield message('samples', snapshot.samples);
    }
    if (this.#journalVersion !== undefined && this.#journalVersion !== snapshot.journalVersion) {
      this.#lastEventId = 0;
      this.#entries = 0;
      this.#lines = new JournalLines();
      yield message('anew', {});
    }
    this.#journalVersion = snapshot.journalVersion;
    if (this.#tablesVersion !== snapshot.tablesVersion) {
      this.#tablesVersion = snapshot.tablesVersion;
      yield message('tables', snapshot.tables);
    }
    // A line may depend on entries that the page has already.
    const fresh = snapshot.journal.slice(this.#entries).map((entry) => this.#lines.next(entry));
    this.#entries = snapshot.journal.length;
    for (const line of fresh.filter(({ id }) => id > this.#lastEventId)) yield eventMessage(line);
  }
}

const eventMessage = (line: JournalLine): Message => ({
  ...message('event', line),
  id: String(line.id),
});

const message = (event: Message['event'], data: unknown): Message => ({ event, data: JSON.stringify(data) });
