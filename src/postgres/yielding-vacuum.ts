/**
 * Autovacuum holds SHARE UPDATE EXCLUSIVE on its table, and yields only to who has waited for deadlock_timeout (1 s by
 * default; one against wraparound never yields).
 * https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
 */

import type { TableName } from '../domain/names.ts';
import { type Connection, sqlState } from './connection.ts';
import { ident, literal, type Sql, sql } from './sql.ts';
import { perhapsVacuumed } from './table-locks.ts';

const lowerDeadlockTimeoutSql = (isLocal: Sql): Sql => sql`
  SELECT set_config('deadlock_timeout', '10ms', ${isLocal}) FROM pg_roles WHERE rolname = current_user AND rolsuper`;

/** For this transaction, where we may (superuser); otherwise deadlock_timeout stays as it is. */
export const yieldQuicklySql = lowerDeadlockTimeoutSql(sql`true`);

/** The same for the whole session. */
export async function yieldQuickly(connection: Connection): Promise<void> {
  await connection.script(lowerDeadlockTimeoutSql(sql`false`));
}

/** What a vacuum takes to end once it was asked to. */
const ENDS_WITHIN_MS = 500;

/** Sets lock_timeout for this transaction to what it takes until an autovacuum has yielded. */
export const waitForYieldSql = sql`SELECT set_config('lock_timeout',
  ceil(extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + ${literal(String(ENDS_WITHIN_MS))}::int)::text, true)`;

/**
 * Makes autovacuums of these tables yield now, so that nothing of the pause has to wait for it. Waits in a queue in which no
 * writer and no reader stands behind us. What does not yield stays.
 */
export async function letVacuumsYield(connection: Connection, tables: readonly TableName[]): Promise<void> {
  for (const { schema, name } of await perhapsVacuumed(connection, tables)) {
    try {
      await connection.script(sql`BEGIN; ${waitForYieldSql};
        LOCK TABLE ONLY ${ident(schema, name)} IN SHARE UPDATE EXCLUSIVE MODE; ROLLBACK`);
    } catch (error) {
      // It stays, or our role may not lock that partition: who needs the table says so.
      if (connection.lost !== undefined || sqlState(error) === undefined) throw error;
      await connection.script(sql`ROLLBACK`);
    }
  }
}
