/** `sync --follow` writes a change of the schema into the journal once, whoever looks how often: hooks and readers get it from there. */

import type { MigrationEvent } from '../domain/event.ts';
import type { SchemaChangeOf } from '../observers/status.ts';
import { readEvents } from '../state/journal.ts';
import type { Session } from './session.ts';

export async function tellSchemaChanges(session: Session, changes: readonly SchemaChangeOf[]): Promise<void> {
  if (changes.length === 0) return;
  const events = await readEvents(session.target, session.migration);
  const untold = changes.filter((change) => !wasTold(events, change));
  if (untold.length === 0) return;
  await session.openJournal();
  for (const change of untold) await session.events.emit('schema-changed', change);
}

/** Since the schemas were last found to agree. Pure. */
function wasTold(
  events: readonly MigrationEvent[],
  { database, side, fingerprint }: SchemaChangeOf,
): boolean {
  const settled = events.findLastIndex(
    ({ type, data }) =>
      type === 'step-finished' && data.step === 'record-schema' && data.database === database,
  );
  return events
    .slice(settled + 1)
    .some(
      ({ type, data }) =>
        type === 'schema-changed' &&
        data.database === database &&
        data.side === side &&
        data.fingerprint === fingerprint,
    );
}
