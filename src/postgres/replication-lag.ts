/** How far a subscriber is behind in time, as its walsender has measured it. Reads only. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * In ms. Undefined where the server does not know: nothing has been sent for a while, or the view is not for our role to see.
 * @see https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW (replay_lag)
 */
export async function replicationLagMs(
  publisher: Connection,
  walsenderPid: number,
): Promise<number | undefined> {
  const [row] = await publisher.query<{ ms: number | null }>(sql`
    SELECT (extract(epoch FROM replay_lag) * 1000)::float8 AS ms FROM pg_stat_replication WHERE pid = ${walsenderPid}`);
  return row?.ms ?? undefined;
}
