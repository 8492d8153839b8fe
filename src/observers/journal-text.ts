/** The journal for people: one line for each event that changed something, with its time. Pure. */

import type { MigrationEvent } from '../domain/event.ts';
import { eventLines } from './event-line.ts';
import { painter, type Style } from './style.ts';
import { EMPTY_VIEW, foldView } from './view.ts';

export function journalText(events: readonly MigrationEvent[], style: Style): string {
  const paint = painter(style);
  let view = EMPTY_VIEW;
  const lines = events.flatMap((event) => {
    const [first, ...more] = eventLines(event, view, paint);
    view = foldView(view, event);
    const isNews = event.type !== 'step-finished' || event.data.outcome === 'changed';
    if (first === undefined || !isNews) return [];
    return [
      `${paint.dim(event.at.slice(0, 19).replace('T', ' '))}  ${first}`,
      ...more.map((line) => `${' '.repeat(21)}${line}`),
    ];
  });
  return lines.length === 0 ? 'Nothing has happened yet.' : lines.join('\n');
}
