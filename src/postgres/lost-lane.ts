/** Lanes whose slot is of no use any more: what was copied for them can no longer be followed. */

import type { LaneNames } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Those of `lanes` without a slot, or with one whose WAL is gone. @see https://www.postgresql.org/docs/current/view-pg-replication-slots.html */
export async function lostLanes(publisher: Connection, lanes: readonly LaneNames[]): Promise<LaneNames[]> {
  const rows = await publisher.query<{ name: string }>(sql`
    SELECT slot_name AS name FROM pg_replication_slots
    WHERE slot_name = ANY (${lanes.map((lane) => lane.slot)}::text[]) AND wal_status IS NOT NULL AND wal_status <> 'lost'`);
  const usable = new Set(rows.map((row) => row.name));
  return lanes.filter((lane) => !usable.has(lane.slot));
}
