/** Who else works on a server. https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW */

import { sleep } from '../base/async.ts';
import type { LongTransaction } from '../domain/readiness.ts';
import type { Connection } from './connection.ts';
import { type Sql, sql } from './sql.ts';

/** Transactions of this database that have written and are older than `olderThanMs`; ours are left out. Readers never stand in the way. */
export async function longTransactions(
  connection: Connection,
  olderThanMs: number,
): Promise<LongTransaction[]> {
  return connection.query<LongTransaction>(sql`
    SELECT pid, usename AS user, coalesce(state, '?') AS state,
      (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint AS "ageMs", left(query, 200) AS query
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND backend_xid IS NOT NULL
      AND application_name NOT LIKE 'pgglide: %'
      AND xact_start < clock_timestamp() - make_interval(secs => ${olderThanMs / 1000})
    ORDER BY xact_start`);
}

/**
 * Clients of the whole server that execute a statement now; ours are left out. A role without pg_read_all_stats sees those
 * of its own roles only.
 */
export async function activeSessions(connection: Connection): Promise<number> {
  const { count } = await connection.one<{ count: number }>(sql`
    SELECT count(*) AS count FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()
      AND application_name NOT LIKE 'pgglide: %'`);
  return count;
}

/** "name (age)" of each prepared transaction of this database. */
export async function preparedTransactions(connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ gid: string }>(
    sql`SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared`,
  );
  return rows.map((row) => row.gid);
}

/** Of a row of pg_stat_activity: its session has been open for so long. */
export const isAsOldAs = (ageMs: number): Sql =>
  sql`clock_timestamp() - backend_start >= ${ageMs} * interval '1 ms'`;

/** Ends the sessions that hold a switchover's locks in this database, unless they are younger than `leastAgeMs`. */
export async function endSwitchoverSessions(connection: Connection, leastAgeMs = 0): Promise<void> {
  const rows = await connection.query<{ pid: number }>(sql`
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name IN ('pgglide: barrier', 'pgglide: fence')
      AND ${isAsOldAs(leastAgeMs)}`);
  for (const { pid } of rows) await endBackend(connection, pid);
}

/**
 * Ends one of our own sessions that was lost to us and may still be working; resolves when it is gone. After a restart its
 * process id may be somebody else's.
 */
export async function endBackend(connection: Connection, pid: number): Promise<void> {
  const ours = sql`FROM pg_stat_activity WHERE pid = ${pid} AND application_name LIKE 'pgglide: %'`;
  await connection.query(sql`SELECT pg_terminate_backend(pid) ${ours}`);
  for (;;) {
    const rows = await connection.query(sql`SELECT 1 AS alive ${ours}`);
    if (rows.length === 0) return;
    await sleep(5);
  }
}
