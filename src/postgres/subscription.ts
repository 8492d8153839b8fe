/** Subscriptions. https://www.postgresql.org/docs/current/logical-replication-subscription.html */

import type { Lsn } from '../domain/lsn.ts';
import type { LaneNames, TableName } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { ident, literal, type Sql, sql, trusted } from './sql.ts';

/** Subscriptions are the cluster's. */
export const OF_THIS_DATABASE = sql`subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

export interface SubscriptionState {
  readonly name: string;
  readonly oid: number;
  readonly isEnabled: boolean;
  /** An apply worker is running now. */
  readonly isRunning: boolean;
  /** An apply worker has run for a while: one that fails ends within moments, and begins again after some seconds. */
  readonly isSteady: boolean;
  /** Workers that ended with an error, lost connections included, since the statistics began; undefined before PostgreSQL 15. */
  readonly applyErrors: number | undefined;
  /** ALTER SUBSCRIPTION ... SKIP was said, and its transaction has not come yet. */
  readonly isSkipping: boolean;
  readonly publications: readonly string[];
  /** Undefined: it was taken from it, and without it cannot be enabled. */
  readonly slot: string | undefined;
  /** origin = none, from PostgreSQL 16 on: changes that reached the publisher by replication are not sent. */
  readonly leavesOutReplicated: boolean;
}

/** The replication origin whose position says how far a subscription has come. */
export const originName = (state: SubscriptionState): string => `pg_${state.oid}`;

/**
 * A subscription that starts where its slot stands and copies nothing. After an error it is tried again every few
 * seconds, as PostgreSQL does by itself: `disable_on_error` would switch it off for good when its connection breaks, too.
 * The connection string holds the password, so it is kept out of the server's log for this session where we may say so.
 */
export async function createSubscription(
  subscriber: Connection,
  lane: LaneNames,
  publisherConninfo: string,
  options: { enabled: boolean },
): Promise<void> {
  await quietLog(subscriber);
  const version = await serverVersion(subscriber);
  const streaming = trusted(version >= 140000 ? ', streaming = on' : '');
  const asOurself = trusted((await mustApplyAsOurself(subscriber, version)) ? ', run_as_owner = true' : '');
  await subscriber.script(sql`
    CREATE SUBSCRIPTION ${ident(lane.subscription)} CONNECTION ${literal(publisherConninfo)}
    PUBLICATION ${ident(lane.publication)}
    WITH (copy_data = false, create_slot = false, slot_name = ${literal(lane.slot)},
          enabled = ${trusted(options.enabled ? 'true' : 'false')}${streaming}${asOurself})`);
}

/**
 * From 16 on a worker acts as the owner of each table, and refuses one whose forced row level security binds its owner, or whose
 * owner has lost rights on it (a log that even its owner may only add to). Where our role is not bound, and has these rights, it
 * applies as that role, as before 16; only where it must, for triggers then act as ours, too.
 */
async function mustApplyAsOurself(subscriber: Connection, version: number): Promise<boolean> {
  if (version < 160000) return false;
  const { must } = await subscriber.one<{ must: boolean }>(sql`
    WITH found AS (
      SELECT c.relrowsecurity AND c.relforcerowsecurity AND NOT (owner.rolsuper OR owner.rolbypassrls) AS "isForced",
        (SELECT bool_and(has_table_privilege(owner.oid, c.oid, p)) FROM unnest(${WRITING}::text[]) AS p) AS "ownerMay",
        (SELECT bool_and(has_table_privilege(c.oid, p)) FROM unnest(${WRITING}::text[]) AS p) AS "weMay"
      FROM pg_class c JOIN pg_roles owner ON owner.oid = c.relowner
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND (c.relforcerowsecurity OR c.relacl IS NOT NULL))
    SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AND coalesce(bool_or("isForced"), false)
      OR coalesce(bool_or(NOT "ownerMay") AND bool_and("ownerMay" OR "weMay"), false) AS must
    FROM found`);
  return must;
}

const WRITING = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'];

/** Its worker begins anew where that is another connection string than it has. */
export async function reconnectSubscription(
  subscriber: Connection,
  name: string,
  publisherConninfo: string,
): Promise<void> {
  await quietLog(subscriber);
  await subscriber.script(sql`ALTER SUBSCRIPTION ${ident(name)} CONNECTION ${literal(publisherConninfo)}`);
}

/**
 * Takes the publication's tables as they are now; PostgreSQL copies the rows of the new ones itself, if it is to. Only while it is
 * enabled, and not in a transaction block.
 */
export const refreshSubscriptionSql = (name: string, { copyData }: { readonly copyData: boolean }): Sql =>
  sql`ALTER SUBSCRIPTION ${ident(name)} REFRESH PUBLICATION WITH (copy_data = ${trusted(String(copyData))})`;
/** After a disabled one was left without. */
export const setSlotSql = (name: string, slot: string): Sql =>
  sql`ALTER SUBSCRIPTION ${ident(name)} SET (slot_name = ${literal(slot)})`;
export const enableSubscriptionSql = (name: string): Sql => sql`ALTER SUBSCRIPTION ${ident(name)} ENABLE`;
/** From PostgreSQL 15 on. */
export const skipTransactionSql = (name: string, finishLsn: Lsn): Sql =>
  sql`ALTER SUBSCRIPTION ${ident(name)} SKIP (lsn = ${literal(finishLsn)})`;
export const disableSubscriptionSql = (name: string): Sql => sql`ALTER SUBSCRIPTION ${ident(name)} DISABLE`;

/** Drops the subscription and leaves its slot alone, so that it works with the publisher gone. */
export async function dropSubscription(subscriber: Connection, name: string): Promise<void> {
  if ((await subscriptionState(subscriber, name)) === undefined) return;
  await withBriefLock(subscriber, disableSubscriptionSql(name));
  await withBriefLock(subscriber, sql`ALTER SUBSCRIPTION ${ident(name)} SET (slot_name = NONE)`);
  await withBriefLock(subscriber, sql`DROP SUBSCRIPTION ${ident(name)}`);
}

const STEADY_AFTER = sql`interval '1 s'`;

/** Undefined when there is no such subscription in this database. */
export async function subscriptionState(
  subscriber: Connection,
  name: string,
): Promise<SubscriptionState | undefined> {
  const version = await serverVersion(subscriber);
  const hasStats = version >= 150000;
  const errors = hasStats
    ? sql`(SELECT e.apply_error_count FROM pg_stat_subscription_stats e WHERE e.subid = s.oid)`
    : sql`NULL::bigint`;
  const skipping = hasStats ? sql`s.subskiplsn <> '0/0'` : sql`false`;
  const leavesOut = version >= 160000 ? sql`s.suborigin = 'none'` : sql`false`;
  const [row] = await subscriber.query<{
    oid: number;
    enabled: boolean;
    running: boolean;
    steady: boolean;
    errors: number | null;
    skipping: boolean;
    publications: string[];
    slot: string | null;
    leavesOut: boolean;
  }>(sql`
    SELECT s.oid::bigint AS oid, s.subenabled AS enabled, ${errors} AS errors, ${skipping} AS skipping,
      s.subpublications AS publications, s.subslotname::text AS slot, ${leavesOut} AS "leavesOut", w.running, w.steady
    FROM pg_subscription s
    CROSS JOIN LATERAL (
      SELECT count(*) > 0 AS running,
        coalesce(bool_or(coalesce(b.backend_start, '-infinity') < clock_timestamp() - ${STEADY_AFTER}), false) AS steady
      FROM pg_stat_subscription a LEFT JOIN pg_stat_activity b ON b.pid = a.pid
      WHERE a.subid = s.oid AND a.pid IS NOT NULL) w
    WHERE s.subname = ${name} AND ${OF_THIS_DATABASE}`);
  if (row === undefined) return undefined;
  return {
    name,
    oid: row.oid,
    isEnabled: row.enabled,
    isRunning: row.running,
    isSteady: row.steady,
    applyErrors: row.errors ?? undefined,
    isSkipping: row.skipping,
    publications: row.publications,
    slot: row.slot ?? undefined,
    leavesOutReplicated: row.leavesOut,
  };
}

/** Names of those in this database. */
export async function enabledSubscriptions(connection: Connection): Promise<Set<string>> {
  const rows = await connection.query<{ name: string }>(sql`
    SELECT subname AS name FROM pg_subscription
    WHERE subenabled AND ${OF_THIS_DATABASE}`);
  return new Set(rows.map(({ name }) => name));
}

/** Enabled ones that write into any of these tables, or into their partitions. */
export async function subscriptionsOfOthers(
  connection: Connection,
  tables: readonly TableName[],
): Promise<string[]> {
  const names = tables.map(({ schema, name }) => ({ schema, name }));
  const rows = await connection.query<{ name: string }>(sql`
    SELECT s.subname AS name FROM pg_subscription s
    WHERE s.subenabled AND s.subname !~ '^pgglide_'
      AND ${OF_THIS_DATABASE}
      AND EXISTS (
        SELECT FROM pg_subscription_rel r
        JOIN pg_class c ON c.oid = coalesce(pg_partition_root(r.srrelid), r.srrelid)
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
          ON t.schema = n.nspname AND t.name = c.relname
        WHERE r.srsubid = s.oid)
    ORDER BY 1`);
  return rows.map(({ name }) => name);
}

async function serverVersion(connection: Connection): Promise<number> {
  const { v } = await connection.one<{ v: number }>(
    sql`SELECT current_setting('server_version_num')::int AS v`,
  );
  return v;
}

/** Statement logging and error logging would write the password down; only superusers may turn them off. */
export async function quietLog(connection: Connection): Promise<void> {
  await connection.query(sql`
    SELECT set_config(name, value, false)
    FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_error_statement', 'panic'))
      AS quiet(name, value)
    WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`);
}
