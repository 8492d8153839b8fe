/** One runner a migration: a session advisory lock on the target, freed by the server when the runner dies. */

import { LockedError } from '../domain/errors.ts';
import { SIDES, type Side } from '../domain/names.ts';
import { endBackend, endSwitchoverSessions, isAsOldAs } from '../postgres/activity.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { literal, type Sql, sql } from '../postgres/sql.ts';
import { LOCK_NOT_AVAILABLE } from '../postgres/sqlstate.ts';

/**
 * A runner that has ended keeps its lock until its server knows: behind a tunnel (kubectl port-forward, ssh) that is
 * after its process has gone, and the next command is there sooner.
 */
const PREDECESSOR_LEAVES_MS = 3_000;

/** Of a database, whichever migration. */
const BEGINNING = sql`hashtextextended('pgglide begins', 0)`;
const lockKey = (migration: string): Sql => sql`hashtextextended(${`pgglide:${migration}`}, 0)`;

/** @throws {LockedError} `another_runner`, naming its session */
export const takeRunnerLock = (target: Connection, migration: string): Promise<void> =>
  takeLock('target', target, lockKey(migration), `works on migration "${migration}"`);

/**
 * For the first sync, from before it looks for other migrations of these databases until these would see it: two that begin at
 * once would not see each other.
 *
 * @throws {LockedError} `another_runner`, naming its session
 */
export async function takeBeginningLocks({ source, target }: Omit<Sessions, 'migration'>): Promise<void> {
  const sides = { source, target };
  for (const side of SIDES)
    await takeLock(side, sides[side], BEGINNING, 'begins a migration of this database');
}

interface Sessions {
  readonly migration: string;
  readonly source: Connection;
  readonly target: Connection;
}

/**
 * For a switch and for what mends one, behind the runner's lock: every session from which a runner that gives up, or goes
 * forward, lifts a fence. One that stood still may have lost its lock alone; these sessions of it are ended here, so that it
 * does not wake up and open the side that we are about to leave. Safe to repeat.
 *
 * @throws {LockedError} `another_runner`, naming its session
 */
export async function takeSwitchLocks(lead: Sessions, others: readonly Sessions[]): Promise<void> {
  await endSwitchoverSessions(lead.target);
  await takeOver('source', lead);
  for (const other of others) {
    await takeOver('source', other);
    await takeOver('target', other);
  }
}

async function takeOver(side: Side, sessions: Sessions): Promise<void> {
  const { migration, [side]: connection } = sessions;
  if (await holdsLock(connection, migration)) return;
  await endRunner(connection, migration);
  await endSwitchoverSessions(connection);
  await takeLock(side, connection, lockKey(migration), `works on migration "${migration}"`);
}

/** Resolves to whether it is ours now; waits for nobody. */
export async function tryRunnerLock(target: Connection, migration: string): Promise<boolean> {
  const { taken } = await target.one<{ taken: boolean }>(
    sql`SELECT pg_try_advisory_lock(${lockKey(migration)}) AS taken`,
  );
  return taken;
}

async function takeLock(side: Side, connection: Connection, key: Sql, what: string): Promise<void> {
  if (await isGranted(connection, key)) return;
  const holder = await findHolder(connection, key);
  throw new LockedError(
    'another_runner',
    holder === undefined
      ? `Another pgglide ${what}`
      : `Another pgglide ${what}: ${side} session ${holder.pid} from ${holder.client ?? 'a local socket'} since ${holder.since}`,
    { hint: 'Wait for it, or stop it there; the lock is freed when it ends.', facts: { ...holder } },
  );
}

async function isGranted(connection: Connection, key: Sql): Promise<boolean> {
  try {
    await connection.transaction(
      () => connection.query(sql`SELECT pg_advisory_lock(${key})`),
      sql`BEGIN; SET LOCAL lock_timeout = ${literal(`${PREDECESSOR_LEAVES_MS}ms`)}`,
    );
    return true;
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

async function holdsLock(connection: Connection, migration: string): Promise<boolean> {
  const holder = await findHolder(connection, lockKey(migration));
  return holder?.pid === connection.backendPid;
}

interface Holder {
  readonly pid: number;
  readonly since: string;
  readonly client: string | null;
}

async function findHolder(target: Connection, key: Sql, leastAgeMs = 0): Promise<Holder | undefined> {
  const [holder] = await target.query<Holder>(sql`
    SELECT a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') AS since, a.client_addr::text AS client
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND (l.classid::bigint << 32) | l.objid::bigint = ${key}
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ${isAsOldAs(leastAgeMs)}`);
  return holder;
}

/**
 * Ends the runner's session there, and with it its lock: on the target its power to write the commit point, on the side
 * that it left its power to open it again. A runner that wakes up later finds that out before it can do harm. Needs the
 * runner's role, or pg_signal_backend. Nothing is done to a session younger than `leastAgeMs`.
 */
export async function endRunner(connection: Connection, migration: string, leastAgeMs = 0): Promise<void> {
  const holder = await findHolder(connection, lockKey(migration), leastAgeMs);
  if (holder !== undefined) await endBackend(connection, holder.pid);
}
