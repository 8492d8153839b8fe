/** When the application began to write to a server, told by the server itself. */

import type pg from 'pg';
import { rowsOf } from '../session.ts';

/**
 * Requests of the run in the order of their commits, each with where it was committed first. A commit that the application
 * made is alone in its transaction and as old as its row; a copy brings many rows at once, and old ones.
 */
const FIRST_OWN_COMMITS = `
  WITH request AS (
    SELECT xmin::text AS xid, done_at, (pg_xact_commit_timestamp_origin(xmin)).*
    FROM public.request_log WHERE starts_with(request_id, $1)
  ), own AS (
    SELECT "timestamp" AS at, roident = 0 AND count(*) OVER (PARTITION BY xid) = 1
      AND "timestamp" - done_at < interval '10 s' AS is_own
    FROM request WHERE "timestamp" IS NOT NULL
  ), ordered AS (
    SELECT at, is_own, lag(is_own) OVER (ORDER BY at) AS was_own FROM own
  )
  SELECT (extract(epoch FROM at) * 1000)::float8 AS "atMs" FROM ordered
  WHERE is_own AND was_own IS DISTINCT FROM true ORDER BY at`;

export interface SwitchTimes {
  /** ms since 1970: each time that own commits followed on others'. After a rollback and another cutover there are two. */
  readonly cutoversMs: readonly number[];
}

export async function switchTimes(session: pg.Client, run: string): Promise<SwitchTimes> {
  const rows = await rowsOf<{ atMs: number }>(session, FIRST_OWN_COMMITS, [`${run}.`]);
  return { cutoversMs: rows.map(({ atMs }) => atMs) };
}
