/** Lines for pipes and log files: events as they come, progress every few seconds of the events' own time. */

import type { MigrationEvent } from '../domain/event.ts';
import { progressLines } from './event-line.ts';
import type { Observer, Sink } from './observer.ts';
import { plainLine } from './plain-line.ts';
import { printable } from './printable.ts';
import { painter, type Style } from './style.ts';
import { EMPTY_VIEW, foldView } from './view.ts';

const PROGRESS_EVERY_MS = 5000;

export function plainObserver(sink: Sink, style: Style): Observer {
  const paint = painter(style);
  let view = EMPTY_VIEW;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let shown = '';
  const onEvent = (event: MigrationEvent) => {
    const before = view;
    view = foldView(view, event);
    const lines = progressLines(event, before, paint);
    for (const line of lines) sink.write(`${line}\n`);
    const waitingFor = view.step?.waitingFor;
    if (waitingFor !== undefined && waitingFor !== before.step?.waitingFor)
      sink.write(`${paint.running} waiting for ${printable(waitingFor)}\n`);
    const atMs = Date.parse(event.at);
    const line = plainLine(view);
    if (line === '' || line === shown || atMs - shownAtMs < PROGRESS_EVERY_MS) return;
    sink.write(`${line}\n`);
    [shownAtMs, shown] = [atMs, line];
  };
  return { onEvent, clear: () => undefined, close: () => undefined };
}
