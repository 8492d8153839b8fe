/** One runner a migration: a session advisory lock on the target, freed by the server when the runner dies. */

import { LockedError } from '../domain/errors.ts';
import { endBackend } from '../postgres/activity.ts';
import type { Connection } from '../postgres/connection.ts';
import { type Sql, sql } from '../postgres/sql.ts';

const lockKey = (migration: string): Sql => sql`hashtextextended(${`pgglide:${migration}`}, 0)`;

/** @throws {LockedError} `another_runner`, naming its session */
export async function takeRunnerLock(target: Connection, migration: string): Promise<void> {
  const key = lockKey(migration);
  const { taken } = await target.one<{ taken: boolean }>(sql`SELECT pg_try_advisory_lock(${key}) AS taken`);
  if (taken) return;
  const holder = await findHolder(target, key);
  throw new LockedError(
    'another_runner',
    holder === undefined
      ? `Another pgglide works on migration "${migration}"`
      : `Another pgglide works on migration "${migration}": target session ${holder.pid} from ${holder.client ?? 'a local socket'} since ${holder.since}`,
    { hint: 'Wait for it, or stop it there; the lock is freed when it ends.', facts: { ...holder } },
  );
}

interface Holder {
  readonly pid: number;
  readonly since: string;
  readonly client: string | null;
}

async function findHolder(target: Connection, key: Sql): Promise<Holder | undefined> {
  const [holder] = await target.query<Holder>(sql`
    SELECT a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') AS since, a.client_addr::text AS client
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND (l.classid::bigint << 32) | l.objid::bigint = ${key}
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
  return holder;
}

/**
 * Ends the runner's session on the target, and with it its lock and its power to write the commit point: a runner that
 * wakes up later finds that out before it can do harm. Needs the runner's role, or pg_signal_backend.
 */
export async function endRunner(target: Connection, migration: string): Promise<void> {
  const holder = await findHolder(target, lockKey(migration));
  if (holder !== undefined) await endBackend(target, holder.pid);
}
