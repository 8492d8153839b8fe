/** How far a lane is behind in time, read from what its WAL sender knows. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * As the server measured it last (replay_lag); a subscriber that has not confirmed what was sent since is at least as far behind
 * as its last word is old. Changes nothing, unlike a marker.
 *
 * @returns undefined when nothing is sent on the slot, or when our role may not see it (it takes pg_read_all_stats)
 * @see https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
 */
export async function laneLagMs(publisher: Connection, slot: string): Promise<number | undefined> {
  const [row] = await publisher.query<{ lagMs: number | null }>(sql`
    SELECT (CASE WHEN r.sent_lsn IS NULL OR r.reply_time IS NULL THEN NULL
      ELSE extract(epoch FROM greatest(
        r.replay_lag,
        CASE WHEN r.sent_lsn > r.replay_lsn THEN clock_timestamp() - r.reply_time END,
        interval '0')) * 1000 END)::float8 AS "lagMs"
    FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
    WHERE s.slot_name = ${slot}`);
  return row?.lagMs === null || row === undefined ? undefined : Math.round(row.lagMs);
}
