/**
 * DDL that never makes others wait for long: who waits for a strong lock stands before everybody who comes later, so one
 * long reader and our statement behind it would stop the application. We give up quickly, let the others through, try again.
 * https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
 */

import { sleep } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import { type Connection, sqlState } from './connection.ts';
import { literal, type Sql, sql } from './sql.ts';
import { DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE } from './sqlstate.ts';
import { waitForYieldSql, yieldQuicklySql } from './yielding-vacuum.ts';

export interface BriefLockOptions {
  /** How long one attempt may stand in the queue, and others behind it. */
  readonly lockTimeoutMs?: number;
  /**
   * An attempt lasts until an autovacuum has yielded, which it does to who has waited for deadlock_timeout. For locks that
   * conflict with no write (SHARE UPDATE EXCLUSIVE), and where only the apply worker writes.
   */
  readonly outwaitsVacuum?: boolean | undefined;
  /** When to give up for good. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Once, when the first attempt did not get its lock. */
  readonly onWaiting?: () => void;
}

const LOCK_TIMEOUT_MS = 200;
const TIMEOUT_MS = 60_000;
/** Pauses between attempts grow up to this. */
const MAX_PAUSE_MS = 1_000;
const TRY_AGAIN: ReadonlySet<string> = new Set([LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED]);

/**
 * Runs statements without parameters in one transaction; each lock is waited for briefly, again and again.
 * @throws {PrerequisiteError} `lock_not_available`, naming who holds it
 */
export const withBriefLock = (
  connection: Connection,
  statements: Sql,
  options: BriefLockOptions = {},
): Promise<void> => tryBriefly(connection, sql`${statements}; COMMIT`, options);

/**
 * The same, and leaves the transaction open, with the locks that the statements took; later ones wait as long as it takes.
 * @throws {PrerequisiteError} `lock_not_available`, naming who holds it
 */
export const beginWithBriefLock = (
  connection: Connection,
  statements: Sql,
  options: BriefLockOptions = {},
): Promise<void> => tryBriefly(connection, sql`${statements}; SET LOCAL lock_timeout = 0`, options);

async function tryBriefly(
  connection: Connection,
  statements: Sql,
  {
    lockTimeoutMs = LOCK_TIMEOUT_MS,
    outwaitsVacuum,
    timeoutMs = TIMEOUT_MS,
    signal,
    onWaiting,
  }: BriefLockOptions,
): Promise<void> {
  const limits = outwaitsVacuum ? waitForYieldSql : briefSql(lockTimeoutMs);
  const started = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      // One round trip: on thousands of tables they count.
      return await connection.script(sql`BEGIN; ${limits}; ${statements}`);
    } catch (error) {
      if (connection.lost === undefined) await connection.script(sql`ROLLBACK`);
      if (!TRY_AGAIN.has(sqlState(error) ?? '')) throw error;
      if (performance.now() - started > timeoutMs) throw await lockNotAvailable(connection, error, timeoutMs);
    }
    if (attempt === 1) onWaiting?.();
    await sleep(Math.min(MAX_PAUSE_MS, 50 * 2 ** attempt), signal);
  }
}

/** Where our role may (superuser), an autovacuum in the way yields within one attempt. */
const briefSql = (lockTimeoutMs: number): Sql =>
  sql`SET LOCAL lock_timeout = ${literal(`${lockTimeoutMs}ms`)}; ${yieldQuicklySql}`;

async function lockNotAvailable(
  connection: Connection,
  cause: unknown,
  timeoutMs: number,
): Promise<PrerequisiteError> {
  // Who stood in the way has no name any more once we have left the queue; the oldest transactions are the likely ones.
  const holders = await connection
    .query<{ pid: number; user: string; state: string; query: string }>(sql`
      SELECT pid, coalesce(usename, backend_type) AS user, coalesce(state, '?') AS state, left(query, 200) AS query FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type IN ('client backend', 'autovacuum worker') AND pid <> pg_backend_pid()
        AND xact_start < clock_timestamp() - interval '1 s' AND application_name NOT LIKE 'pgglide: %'
      ORDER BY xact_start LIMIT 5`)
    .catch(() => []);
  const who = holders.map(({ pid, user, state, query }) => `pid ${pid} (${user}, ${state}): ${query}`);
  const reason = messageOf(cause);
  return new PrerequisiteError(
    'lock_not_available',
    `A lock could not be had within ${timeoutMs / 1000} s without making others wait: ${reason}`,
    {
      hint:
        who.length === 0
          ? 'Run the same command again when the long transactions are over.'
          : `Open for long: ${who.join('; ')}. Run the same command again when they are over.`,
      facts: { holders },
      cause,
    },
  );
}
