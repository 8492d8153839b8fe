/** Everything that happened, in order, on the target. Status, report and a late dashboard are folds over it. */

import type { JournalEntry, MigrationEvent } from '../domain/event.ts';
import type { Connection } from '../postgres/connection.ts';
import { type Sql, sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

export const insertEventSql = (migration: string, event: MigrationEvent): Sql => sql`
  INSERT INTO pgglide.event (migration, at, type, data)
  VALUES (${migration}, ${event.at}::timestamptz, ${event.type}, ${JSON.stringify(event.data)}::jsonb)`;

export async function appendEvent(
  target: Connection,
  migration: string,
  event: MigrationEvent,
): Promise<void> {
  await target.execute(insertEventSql(migration, event));
}

/** What happened, oldest first; nothing when there is no journal yet. */
export async function readEvents(target: Connection, migration: string): Promise<MigrationEvent[]> {
  return (await readJournal(target, migration)).map(({ event }) => event);
}

/** Entries after `afterId`, oldest first; none when there is no journal yet. */
export async function readJournal(
  target: Connection,
  migration: string,
  afterId = 0,
): Promise<JournalEntry[]> {
  if (!(await tableExists(target, 'event'))) return [];
  const rows = await target.query<{ id: number; at: string; type: string; data: unknown }>(sql`
    SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, type, data
    FROM pgglide.event WHERE migration = ${migration} AND id > ${afterId} ORDER BY id`);
  return rows.map(({ id, at, type, data }) => ({ id, event: { at, type, data } as MigrationEvent }));
}
