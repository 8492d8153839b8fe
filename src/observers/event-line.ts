/** One event as one line for people; samples have none. Pure. */

import { databasePrefix, type EventType, type MigrationEvent } from '../domain/event.ts';
import { SCHEMA_CHANGE_HINT, schemaChangeText } from '../domain/schema-change.ts';
import { printable } from './printable.ts';
import { formatBytes, formatCount, formatDuration } from './quantity.ts';
import type { Painter } from './style.ts';
import { finalLines, startedLine, stepLine } from './switchover-lines.ts';
import type { View } from './view.ts';

/** A command prints these as its result: shown while it runs, they would stand there twice. */
const RESULTS: ReadonlySet<EventType> = new Set(['switchover-finished', 'verification-finished']);

/** What a run leaves on the screen while it goes on. */
export const progressLines = (event: MigrationEvent, before: View, paint: Painter): readonly string[] =>
  RESULTS.has(event.type) ? [] : eventLines(event, before, paint);

/** Everything worth a line in the journal; `before` is the view without the event. Empty for samples and for what only the live block shows. */
export function eventLines(event: MigrationEvent, before: View, paint: Painter): readonly string[] {
  switch (event.type) {
    case 'phase-changed':
      return [`${paint.running} ${paint.bold(event.data.to)}`];
    case 'step-finished': {
      const { title, ms, outcome } = event.data;
      const took = outcome === 'unchanged' ? 'already so' : formatDuration(ms);
      return [`${paint.ok} ${printable(databasePrefix(event.data) + title)}   ${paint.dim(took)}`];
    }
    case 'step-failed':
      return [
        `${paint.failed} ${printable(databasePrefix(event.data) + event.data.title)}   ${event.data.code}: ${printable(event.data.message)}`,
      ];
    case 'copy-finished': {
      const { tables, rows, bytes, seconds } = event.data;
      const rate = seconds > 0 ? `, ${formatBytes(bytes / seconds)}/s` : '';
      return [
        `${paint.ok} ${printable(databasePrefix(event.data))}copied ${formatCount(rows)} rows of ${formatCount(tables)} tables, ${formatBytes(bytes)} in ${formatDuration(seconds * 1000)}${rate}`,
      ];
    }
    case 'verification-finished': {
      const { equal, tables, seconds } = event.data;
      const different = tables.filter((table) => !table.equal).length;
      return [
        equal
          ? `${paint.ok} verified: ${tables.length} of ${tables.length} tables equal   ${paint.dim(formatDuration(seconds * 1000))}`
          : `${paint.failed} verified: ${different} of ${tables.length} tables differ`,
      ];
    }
    case 'switchover-started':
      return [startedLine(event.data, paint)];
    case 'switchover-finished':
    case 'switchover-aborted':
      return finalLines(event, paint);
    case 'warning':
      return [
        `${paint.warning} ${printable(databasePrefix(event.data) + event.data.message)}   ${paint.dim(event.data.code)}`,
        ...(event.data.hint === undefined ? [] : [`    ${printable(event.data.hint)}`]),
      ];
    case 'schema-changed':
      return [
        `${paint.warning} ${printable(databasePrefix(event.data) + schemaChangeText(event.data))}`,
        `    ${SCHEMA_CHANGE_HINT}`,
      ];
    case 'switchover-step':
      return [stepLine(event.data.step, (before.switchover?.stepsDone ?? 0) + 1, paint)];
    case 'step-started':
    case 'step-waiting':
    case 'copy-progress':
    case 'index-progress':
    case 'lag-sampled':
    case 'verify-progress':
      return [];
  }
}
