/** The looks that are the same on both servers. */

import { OWN_SCHEMA } from '../../domain/names.ts';
import type {
  AllTablesPublication,
  EventTrigger,
  Extension,
  ParameterGrant,
  ReplicationSlot,
  Role,
  ServerFacts,
  StoredSetting,
  SubscriptionFact,
  Usage,
} from '../../domain/preflight/facts.ts';
import type { Connection } from '../connection.ts';
import { belongsToExtension } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';
import { readActivity } from './activity.ts';
import { ifAllowed } from './attempt.ts';
import { readIdentity, readSettings } from './identity.ts';
import { mayActAs, readOwnRole } from './own-role.ts';

export async function inspectServer(connection: Connection): Promise<ServerFacts> {
  const identity = await readIdentity(connection);
  const role = await readOwnRole(connection);
  return {
    identity,
    role,
    settings: await readSettings(connection),
    usage: await readUsage(connection, role.seesAllActivity),
    extensions: await connection.query<Extension>(extensionsSql),
    roles: await connection.query<Role>(rolesSql),
    storedSettings: await readStoredSettings(connection),
    parameterGrants: await readParameterGrants(connection, identity.versionNumber),
    tablespaces: await names(connection, sql`SELECT spcname AS name FROM pg_tablespace`),
    publications: await names(connection, sql`SELECT pubname AS name FROM pg_publication ORDER BY 1`),
    allTablesPublications: await connection.query<AllTablesPublication>(allTablesPublicationsSql),
    subscriptions: await readSubscriptions(connection),
    slots: await readSlots(connection),
    eventTriggers: await connection.query<EventTrigger>(eventTriggersSql),
    ownSchemaTables: await names(connection, ownSchemaSql),
    synchronousStandbys: await readSynchronousStandbys(connection),
    activity: await readActivity(connection, role.seesAllActivity),
  };
}

async function names(connection: Connection, statement: Sql): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(statement);
  return rows.map((row) => row.name);
}

/** walsenders and workers are counted by views that show their pid to everyone; other backends' kind is not for everyone. */
const usageSql = sql`
  SELECT (SELECT count(*) FROM pg_replication_slots) AS slots,
    (SELECT count(*) FROM pg_replication_origin) AS origins,
    (SELECT count(*) FROM pg_stat_replication) AS "walSenders",
    (SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL) AS "applyWorkers",
    (SELECT count(*) FROM pg_stat_activity
     WHERE backend_type NOT IN ('client backend', 'walsender', 'autovacuum worker', 'autovacuum launcher',
       'checkpointer', 'background writer', 'walwriter', 'startup', 'walreceiver', 'archiver', 'logger',
       'io worker', 'slotsync worker', 'walsummarizer', 'standalone backend')) AS "backgroundWorkers",
    (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_stat_database) AS connections`;

async function readUsage(connection: Connection, seesAll: boolean): Promise<Usage> {
  const row = await connection.one<Usage>(usageSql);
  const wal = await ifAllowed(() =>
    connection.one<{ bytes: number }>(sql`SELECT coalesce(sum(size), 0)::int8 AS bytes FROM pg_ls_waldir()`),
  );
  return {
    ...row,
    backgroundWorkers: seesAll ? row.backgroundWorkers : undefined,
    walBytes: wal?.bytes,
  };
}

const extensionsSql = sql`
  SELECT x.extname AS name, x.extversion AS version, n.nspname AS schema,
    ARRAY(
      SELECT format('%I.%I', cn.nspname, c.relname)
      FROM unnest(x.extconfig) AS t(oid)
      JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'r' AND c.reltuples <> 0
      JOIN pg_namespace cn ON cn.oid = c.relnamespace) AS "configurationTables"
  FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
  ORDER BY x.extname`;

/** Who may grant a role may grant it to itself: sync does. */
const rolesSql = sql`
  SELECT r.rolname AS name, r.rolcanlogin AS "canLogin",
    ${mayActAs(sql`r.oid`)} OR EXISTS (
      SELECT FROM pg_auth_members m JOIN pg_roles own ON own.oid = m.member
      WHERE m.roleid = r.oid AND m.admin_option AND own.rolname = current_user
        AND current_setting('server_version_num')::int >= 160000) AS "mayActAs"
  FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY r.rolname`;

async function readStoredSettings(connection: Connection): Promise<StoredSetting[]> {
  const rows = await connection.query<{
    database: string | null;
    role: string | null;
    name: string;
    value: string;
  }>(sql`
    SELECT d.datname AS database, r.rolname AS role,
      split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
    FROM pg_db_role_setting s
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    WHERE s.setdatabase = 0 OR d.datname = current_database()
    ORDER BY 1, 2, 3`);
  return rows.map((row) => ({ ...row, database: row.database ?? undefined, role: row.role ?? undefined }));
}

async function readParameterGrants(connection: Connection, version: number): Promise<ParameterGrant[]> {
  if (version < 150000) return [];
  return connection.query(sql`
    SELECT p.parname AS parameter, r.rolname AS role, g.privilege_type AS privilege
    FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) g JOIN pg_roles r ON r.oid = g.grantee
    WHERE NOT r.rolsuper
    ORDER BY 1, 2, 3`);
}

async function readSubscriptions(connection: Connection): Promise<SubscriptionFact[]> {
  const rows = await connection.query<{ name: string; isEnabled: boolean; slotName: string | null }>(sql`
    SELECT s.subname AS name, s.subenabled AS "isEnabled", s.subslotname AS "slotName"
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE d.datname = current_database() ORDER BY 1`);
  return rows.map((row) => ({ ...row, slotName: row.slotName ?? undefined }));
}

async function readSlots(connection: Connection): Promise<ReplicationSlot[]> {
  const rows = await connection.query<
    Omit<ReplicationSlot, 'database' | 'retainedBytes'> & {
      database: string | null;
      retainedBytes: number | null;
    }
  >(sql`
    SELECT slot_name AS name, slot_type AS kind, database, active AS "isActive", temporary AS "isTemporary",
      CASE WHEN NOT pg_is_in_recovery()
        THEN pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8 END AS "retainedBytes"
    FROM pg_replication_slots ORDER BY 1`);
  return rows.map((row) => ({
    ...row,
    database: row.database ?? undefined,
    retainedBytes: row.retainedBytes ?? undefined,
  }));
}

const allTablesPublicationsSql = sql`
  SELECT p.pubname AS name, coalesce(obj_description(p.oid, 'pg_publication'), '') AS comment,
    EXISTS (SELECT FROM pg_replication_slots
      WHERE database = current_database() AND plugin = 'pgoutput' AND slot_name !~ '^pgglide_') AS "hasReader"
  FROM pg_publication p WHERE p.puballtables AND p.pubname !~ '^pgglide_' ORDER BY 1`;

const eventTriggersSql = sql`
  SELECT t.evtname AS name, t.evtevent AS event
  FROM pg_event_trigger t
  WHERE t.evtenabled <> 'D' AND t.evtname !~ '^pgglide_'
    AND NOT ${belongsToExtension(sql`'pg_event_trigger'::regclass`, sql`t.oid`)}
  ORDER BY 1`;

const ownSchemaSql = sql`
  SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ${OWN_SCHEMA} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`;

/** Who may not see the state is told of a standby nonetheless. */
async function readSynchronousStandbys(connection: Connection): Promise<number> {
  const { count } = await connection.one<{ count: number }>(sql`
    SELECT count(*) AS count FROM pg_stat_replication
    WHERE coalesce(sync_state, 'sync') IN ('sync', 'quorum')`);
  return count;
}
