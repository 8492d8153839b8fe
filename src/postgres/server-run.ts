/** One run of a server, from its start to its end: behind a restart may be a backup, behind another host a standby that lacked something. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Another one after every restart, restore and failover. @see https://www.postgresql.org/docs/current/functions-info.html */
export async function serverRun(connection: Connection): Promise<string> {
  const { run } = await connection.one<{ run: string }>(sql`
    SELECT to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS run`);
  return run;
}
