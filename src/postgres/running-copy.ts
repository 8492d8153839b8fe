/** COPYs that run into this database right now, of any session. Reads only. */

import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

export interface RunningCopy extends TableName {
  readonly rowCount: number;
}

/**
 * A partition's rows are its root's. From 14 on: an older server does not tell.
 * @see https://www.postgresql.org/docs/current/progress-reporting.html#COPY-PROGRESS-REPORTING
 */
export async function runningCopies(connection: Connection): Promise<RunningCopy[]> {
  return connection.query<RunningCopy>(sql`
    SELECT n.nspname AS schema, c.relname AS name, sum(p.tuples_processed)::bigint AS "rowCount"
    FROM pg_stat_progress_copy p
    JOIN pg_class c ON c.oid = coalesce(pg_partition_root(p.relid), p.relid)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.command = 'COPY FROM' AND p.datname = current_database()
    GROUP BY n.nspname, c.relname`);
}
