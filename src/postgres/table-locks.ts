/** Who holds locks on tables. https://www.postgresql.org/docs/current/view-pg-locks.html */

import type { TableName } from '../domain/names.ts';
import type { LockHolder } from '../domain/readiness.ts';
import type { Connection } from './connection.ts';
import { type Sql, sql } from './sql.ts';

/** Locks that others were granted on these tables and their partitions, as `locks`. */
const locksOn = (tables: readonly TableName[]): Sql => sql`
  WITH ours AS (
    SELECT c.oid FROM json_to_recordset(${JSON.stringify(tables)}::json) AS t(schema text, name text)
    JOIN pg_namespace n ON n.nspname = t.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name),
  locks AS (
    SELECT n.nspname AS schema, c.relname AS name, l.pid, l.mode
    FROM pg_locks l
    JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (c.oid IN (SELECT oid FROM ours)
        OR EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS a(relid) WHERE a.relid IN (SELECT oid FROM ours))))`;

/**
 * Autovacuums, and transactions older than `olderThanMs` with a lock that conflicts with the barrier's EXCLUSIVE; ours are
 * left out. A role without pg_read_all_stats sees those of its own roles only.
 */
export async function lockHolders(
  connection: Connection,
  tables: readonly TableName[],
  olderThanMs: number,
): Promise<LockHolder[]> {
  return await connection.query<LockHolder>(sql`${locksOn(tables)}
    SELECT DISTINCT ON (a.pid) a.pid, coalesce(a.usename, a.backend_type) AS user,
      locks.schema || '.' || locks.name AS table,
      (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint AS "ageMs", left(a.query, 200) AS query,
      a.backend_type = 'autovacuum worker' AND a.query NOT LIKE '%(to prevent wraparound)' AS yields
    FROM locks JOIN pg_stat_activity a USING (pid)
    WHERE locks.mode <> 'AccessShareLock'
      AND (a.backend_type = 'autovacuum worker' OR a.backend_type = 'client backend'
        AND a.application_name NOT LIKE 'pgglide: %'
        AND a.xact_start < clock_timestamp() - make_interval(secs => ${olderThanMs / 1000}))
    ORDER BY a.pid, 3`);
}

/** What a vacuum works on. What kind of session it is, is hidden from a role without pg_read_all_stats; the lock is not. */
export async function perhapsVacuumed(
  connection: Connection,
  tables: readonly TableName[],
): Promise<TableName[]> {
  return await connection.query<TableName>(sql`${locksOn(tables)}
    SELECT DISTINCT schema, name FROM locks WHERE mode = 'ShareUpdateExclusiveLock'`);
}
