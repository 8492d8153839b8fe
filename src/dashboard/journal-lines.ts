/** The journal's entries with the lines that people read. Pure. */

import type { JournalEntry } from '../domain/event.ts';
import { eventLines } from '../observers/event-line.ts';
import { painter } from '../observers/style.ts';
import { EMPTY_VIEW, foldView, type View } from '../observers/view.ts';

export interface JournalLine extends JournalEntry {
  /** None: worth keeping, not worth a line. */
  readonly lines: readonly string[];
}

const PLAIN = painter({ color: false, ascii: false });

/** Entries must come in their order, each once: a line may depend on those before it. */
export class JournalLines {
  #view: View = EMPTY_VIEW;

  next({ id, event }: JournalEntry): JournalLine {
    const lines = eventLines(event, this.#view, PLAIN);
    this.#view = foldView(this.#view, event);
    return { id, event, lines };
  }
}
