/**
 * The barrier: one transaction holding EXCLUSIVE on every replicated table. Reads go on, writers wait, nobody
 * fails; once it is held, no writer is left, also none that goes around the traffic switch.
 * https://www.postgresql.org/docs/current/explicit-locking.html
 */

import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { TableName } from '../domain/names.ts';
import type { LinkedTable } from '../domain/plan.ts';
import { type Connection, sqlState } from './connection.ts';
import { ident, list, literal, type Sql, sql } from './sql.ts';
import { DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, QUERY_CANCELED } from './sqlstate.ts';
import { tableAlone } from './table-alone.ts';

/** How long after its budget a transaction of ours that holds locks may stand idle: then its tool hangs or is gone, and writers wait for it. */
const IDLE_AFTER_BUDGET_MS = 5_000;

/** For a transaction that holds locks in the pause: waits for them, and keeps them idle, for so long only. */
export const lockLimitsSql = (budgetMs: number): Sql => {
  const wait = Math.max(1, Math.round(budgetMs));
  return sql`SET LOCAL lock_timeout = ${literal(`${wait}ms`)};
    SET LOCAL idle_in_transaction_session_timeout = ${literal(`${wait + IDLE_AFTER_BUDGET_MS}ms`)}`;
};

/**
 * A writer that waits for us while we wait for it is a deadlock, and the server would cancel whoever notices first. So nobody
 * waits for us for as long as its deadlock_timeout: we give way before, and try again.
 */
export interface BarrierLimits {
  /** For all attempts together. */
  readonly budgetMs: number;
  /** The shortest deadlock_timeout that a session here may have. */
  readonly deadlockTimeoutMs: number;
}

const OF_DEADLOCK_TIMEOUT = 0.8;
/** The first attempt is short: whatever it met, the next one waits for without holding anything. */
const FIRST_ATTEMPT_MS = 200;
/** Several times what a lock takes where nobody is in the way: 0.03 ms. */
const LOCK_MS = 0.1;
/** Thousands of tables take so long to lock when nobody is in the way. */
const SHORTEST_ATTEMPT_MS = 100;
/** QUERY_CANCELED: by our statement_timeout. */
const GIVES_WAY: ReadonlySet<string> = new Set([LOCK_NOT_AVAILABLE, QUERY_CANCELED, DEADLOCK_DETECTED]);

/** Of the server, and of roles and databases that have one of their own. */
export async function deadlockTimeoutMs(connection: Connection): Promise<number> {
  const { ms } = await connection.one<{ ms: number }>(sql`
    SELECT min(ms)::float8 AS ms FROM (
      SELECT reset_val::numeric AS ms FROM pg_settings WHERE name = 'deadlock_timeout'
      UNION ALL
      SELECT CASE WHEN value ~ '^[0-9]+$' THEN value::numeric
                  WHEN value ~ '^[0-9.]+ *(us|ms|s|min|h|d)$' THEN extract(epoch FROM value::interval)::numeric * 1000 END
      FROM pg_db_role_setting, unnest(setconfig) AS entry, split_part(entry, '=', 2) AS value
      WHERE starts_with(entry, 'deadlock_timeout=')
    ) AS known`);
  return ms;
}

/**
 * Opens the barrier's transaction on `connection` and takes the locks. End it with COMMIT or ROLLBACK.
 * @throws {SwitchoverAbortedError} `barrier_timeout`: a writer, a vacuum or DDL held a table too long
 */
export async function raiseBarrier(
  connection: Connection,
  tables: readonly LinkedTable[],
  { budgetMs, deadlockTimeoutMs }: BarrierLimits,
): Promise<void> {
  const until = performance.now() + budgetMs;
  const longestMs = Math.max(SHORTEST_ATTEMPT_MS, OF_DEADLOCK_TIMEOUT * deadlockTimeoutMs);
  let attemptMs = Math.min(FIRST_ATTEMPT_MS + tables.length * LOCK_MS, longestMs);
  let inTheWay: Holder | undefined;
  for (;;) {
    const leftMs = Math.max(1, until - performance.now());
    try {
      return await connection.script(barrierSql(tables, inTheWay, leftMs, Math.min(attemptMs, leftMs)));
    } catch (error) {
      if (connection.lost === undefined) await connection.script(sql`ROLLBACK`).catch(() => undefined);
      if (!GIVES_WAY.has(sqlState(error) ?? '')) throw error;
      inTheWay = (await holderOf(connection, tables)) ?? inTheWay;
      if (performance.now() >= until) throw barrierTimeout(budgetMs, inTheWay, error);
    }
    attemptMs = longestMs;
  }
}

/** `first` is waited for as long as it takes, and by a transaction that holds nothing: an autovacuum yields only to one that waits for long. */
function barrierSql(
  tables: readonly LinkedTable[],
  first: TableName | undefined,
  budgetMs: number,
  attemptMs: number,
): Sql {
  const limits = sql`BEGIN; ${lockLimitsSql(budgetMs)}`;
  if (tables.length === 0) return limits;
  const names = list(tables.map(tableAlone));
  const before =
    first === undefined ? sql`` : sql`LOCK TABLE ONLY ${ident(first.schema, first.name)} IN EXCLUSIVE MODE; `;
  const wait = literal(`${Math.max(1, Math.round(attemptMs))}ms`);
  return sql`${limits}; ${before}SET LOCAL statement_timeout = ${wait}; LOCK TABLE ${names} IN EXCLUSIVE MODE; SET LOCAL statement_timeout = 0`;
}

interface Holder extends TableName {
  /** Null: a prepared transaction. */
  readonly pid: number | null;
}

/** Who holds one of the tables now. A vacuum first: it does not end soon by itself. */
async function holderOf(connection: Connection, tables: readonly TableName[]): Promise<Holder | undefined> {
  const [holder] = await connection.query<Holder>(sql`
    SELECT n.nspname AS schema, c.relname AS name, l.pid
    FROM json_to_recordset(${JSON.stringify(tables)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
    JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = c.oid
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    WHERE l.granted AND l.mode <> 'AccessShareLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
    ORDER BY l.mode = 'ShareUpdateExclusiveLock' DESC, 1, 2 LIMIT 1`);
  return holder;
}

function barrierTimeout(
  budgetMs: number,
  holder: Holder | undefined,
  cause: unknown,
): SwitchoverAbortedError {
  const table = holder === undefined ? 'a replicated table' : `${holder.schema}.${holder.name}`;
  const who = holder?.pid == null ? 'A session' : `The session of pid ${holder.pid}`;
  return new SwitchoverAbortedError(
    'barrier_timeout',
    `${who} held ${table} for more than ${Math.round(budgetMs)} ms`,
    {
      hint: 'pgglide status lists long transactions; end them, or try again when they are done.',
      cause,
    },
  );
}
