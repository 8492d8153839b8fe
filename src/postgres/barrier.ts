/**
 * The barrier: one transaction holding EXCLUSIVE on every replicated table. Reads go on, writers wait, nobody
 * fails; once it is held, no writer is left, also none that goes around the traffic switch.
 * https://www.postgresql.org/docs/current/explicit-locking.html
 */

import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { TableName } from '../domain/names.ts';
import { type Connection, sqlState } from './connection.ts';
import { ident, list, literal, type Sql, sql } from './sql.ts';

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * (Auto)vacuum and ANALYZE yield to a waiting lock only after the waiter's deadlock_timeout (1 s by default).
 * Lowered for our session where we may (superuser); otherwise left as it is.
 */
export async function yieldQuickly(connection: Connection): Promise<void> {
  await connection.query(sql`
    SELECT set_config('deadlock_timeout', '10ms', false)
    WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`);
}

/** How long after its budget a transaction of ours that holds locks may stand idle: then its tool hangs or is gone, and writers wait for it. */
const IDLE_AFTER_BUDGET_MS = 5_000;

/** For a transaction that holds locks in the pause: waits for them, and keeps them idle, for so long only. */
export const lockLimitsSql = (budgetMs: number): Sql => {
  const wait = Math.max(1, Math.round(budgetMs));
  return sql`SET LOCAL lock_timeout = ${literal(`${wait}ms`)};
    SET LOCAL idle_in_transaction_session_timeout = ${literal(`${wait + IDLE_AFTER_BUDGET_MS}ms`)}`;
};

/**
 * Opens the barrier's transaction on `connection` and takes the locks. End it with COMMIT or ROLLBACK.
 * @throws {SwitchoverAbortedError} `barrier_timeout`: a writer, a vacuum or DDL held a table too long
 */
export async function raiseBarrier(
  connection: Connection,
  tables: readonly TableName[],
  lockTimeoutMs: number,
): Promise<void> {
  const names = list(tables.map((table) => ident(table.schema, table.name)));
  const lock = tables.length === 0 ? sql`` : sql`LOCK TABLE ${names} IN EXCLUSIVE MODE`;
  try {
    await connection.script(sql`BEGIN; ${lockLimitsSql(lockTimeoutMs)}; ${lock}`);
  } catch (error) {
    await connection.script(sql`ROLLBACK`).catch(() => undefined);
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new SwitchoverAbortedError(
      'barrier_timeout',
      `A session held a replicated table for more than ${Math.round(lockTimeoutMs)} ms`,
      {
        hint: 'pgglide status lists long transactions; end them, or try again when they are done.',
        cause: error,
      },
    );
  }
}
