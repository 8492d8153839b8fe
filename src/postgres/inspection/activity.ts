/** Transactions that are open now, in every database of a server: a slot's snapshot waits for all of them. */

import type { Activity, PreparedTransaction, TransactionFact } from '../../domain/preflight/facts.ts';
import type { Connection } from '../connection.ts';
import { sql } from '../sql.ts';

const transactionsSql = sql`
  SELECT pid, datname AS database, usename AS user, application_name AS application,
    coalesce(state, backend_type) AS state,
    (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "ageMs",
    backend_xid IS NOT NULL AS "hasWritten", backend_type AS kind,
    backend_type = 'autovacuum worker' AND query LIKE '%(to prevent wraparound)' AS "preventsWraparound"
  FROM pg_stat_activity
  WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND application_name NOT LIKE 'pgglide: %'
    AND backend_type IN ('client backend', 'autovacuum worker', 'parallel worker', 'background worker')
  ORDER BY xact_start`;

const preparedSql = sql`
  SELECT gid, database, owner, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8 AS "ageMs"
  FROM pg_prepared_xacts ORDER BY prepared`;

type TransactionRow = Omit<TransactionFact, 'database' | 'user'> & {
  readonly database: string | null;
  readonly user: string | null;
};

/** Undefined when other sessions' state is hidden from us: pg_monitor shows it. */
export async function readActivity(connection: Connection, seesAll: boolean): Promise<Activity | undefined> {
  if (!seesAll) return undefined;
  const rows = await connection.query<TransactionRow>(transactionsSql);
  const transactions = rows.map((row) => ({
    ...row,
    database: row.database ?? undefined,
    user: row.user ?? undefined,
  }));
  return { transactions, prepared: await connection.query<PreparedTransaction>(preparedSql) };
}
