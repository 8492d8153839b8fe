/** Physical standbys. https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW */

import type { ReplicaLag } from '../domain/throttle.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * The streaming standby that is furthest behind in replaying; undefined when there is none, or none is behind. A role
 * without pg_read_all_stats sees none.
 */
export async function slowestReplica(primary: Connection): Promise<ReplicaLag | undefined> {
  const [row] = await primary.query<ReplicaLag>(sql`
    SELECT r.application_name AS name, (extract(epoch FROM r.replay_lag) * 1000)::float8 AS "lagMs"
    FROM pg_stat_replication r
    WHERE r.state IN ('streaming', 'catchup') AND r.replay_lag IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
    ORDER BY r.replay_lag DESC LIMIT 1`);
  return row;
}
