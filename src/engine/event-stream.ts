/** Events go one way: to the journal first, then to every reader. While the journal must wait (in the pause, or before it exists) they queue. */

import { type EventMap, type EventType, isSample, type MigrationEvent } from '../domain/event.ts';

export type Append = (event: MigrationEvent) => Promise<void>;
export type Listen = (event: MigrationEvent) => void;

/** What steps may do with events. */
export interface EventSink {
  /** Resolves once the event is journaled, or at once where it is a sample or the journal is held. */
  emit<K extends EventType>(type: K, data: EventMap[K]): Promise<void>;
}

export class EventStream implements EventSink {
  readonly #listen: Listen;
  #append: Append | undefined;
  #waiting: MigrationEvent[] = [];
  #isHeld = true;

  /** Starts held: nothing is journaled before openJournal(). */
  constructor(listen: Listen) {
    this.#listen = listen;
  }

  /** The same stream for what happens in one of several databases. */
  of(database: string): EventSink {
    return { emit: (type, data) => this.emit(type, { ...data, database }) };
  }

  async emit<K extends EventType>(type: K, data: EventMap[K]): Promise<void> {
    const event = { type, at: new Date().toISOString(), data } as MigrationEvent;
    this.#tell(event);
    if (isSample(type)) return;
    if (this.#isHeld || this.#append === undefined) this.#waiting.push(event);
    else await this.#append(event);
  }

  /** A view that fails must not fail the migration, least of all inside the pause. */
  #tell(event: MigrationEvent): void {
    try {
      this.#listen(event);
    } catch {
      // Nobody is left to tell.
    }
  }

  async openJournal(append: Append): Promise<void> {
    this.#append = append;
    await this.release();
  }

  /** Nothing slow inside the pause: events are shown now and journaled at release(). */
  hold(): void {
    this.#isHeld = true;
  }

  async release(): Promise<void> {
    if (this.#append === undefined) return;
    this.#isHeld = false;
    while (this.#waiting.length > 0) {
      const [event] = this.#waiting;
      if (event) await this.#append(event);
      this.#waiting.shift();
    }
  }
}

/** An event that its own statement journals (a phase change), shown to readers without appending it again. */
export const eventNow = <K extends EventType>(type: K, data: EventMap[K]): MigrationEvent =>
  ({ type, at: new Date().toISOString(), data }) as MigrationEvent;
