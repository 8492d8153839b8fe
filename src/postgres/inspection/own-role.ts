/** What the role that we log in as may do. */

import type { OwnRole } from '../../domain/preflight/facts.ts';
import type { Connection } from '../connection.ts';
import { type Sql, sql } from '../sql.ts';

/**
 * What an owner may do we may, and from 16 on give it things and apply rows as it: inherited (USAGE), with SET. MEMBER
 * alone is true also of who may only grant the role, and of a member that inherits nothing.
 */
export const mayActAs = (role: Sql): Sql => sql`(pg_has_role(${role}, 'USAGE') AND pg_has_role(${role},
  CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END))`;

/** A predefined role may be missing on an older server: asked through pg_roles, never by name. */
const roleSql = sql`
  SELECT r.rolname AS name, r.rolsuper AS "isSuperuser",
    r.rolsuper OR r.rolreplication OR isin.rds_replication AS "mayReplicate",
    r.rolsuper OR r.rolbypassrls AS "bypassesRowSecurity",
    r.rolinherit AS inherits, r.rolsuper OR r.rolcreaterole AS "mayCreateRoles",
    r.rolsuper OR r.rolcreatedb AS "mayCreateDatabases",
    has_database_privilege(current_database(), 'CREATE') AS "mayCreateInDatabase",
    coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'public'), true) AS "ownsPublic",
    isin.managed AS "isManagedSuperuser",
    isin.create_subscription AS "mayCreateSubscriptions",
    isin.all_stats AS "seesAllActivity",
    isin.all_settings AS "seesAllSettings",
    r.rolsuper OR (current_setting('server_version_num')::int >= 140000
      AND has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'EXECUTE')
      AND has_function_privilege('pg_replication_origin_progress(text, boolean)', 'EXECUTE')) AS "mayAdvanceOrigins"
  FROM pg_roles r CROSS JOIN (
    SELECT
      coalesce(bool_or(rolname = 'rds_replication'), false) AS rds_replication,
      coalesce(bool_or(rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin')), false) AS managed,
      coalesce(bool_or(rolname = 'pg_create_subscription'), false) AS create_subscription,
      coalesce(bool_or(rolname = 'pg_read_all_stats'), false) AS all_stats,
      coalesce(bool_or(rolname = 'pg_read_all_settings'), false) AS all_settings
    FROM pg_roles WHERE pg_has_role(oid, 'USAGE')) AS isin
  WHERE r.rolname = current_user`;

export async function readOwnRole(connection: Connection): Promise<OwnRole> {
  const row = await connection.one<Omit<OwnRole, 'hasPassword'>>(roleSql);
  return { ...row, hasPassword: connection.address.password !== undefined };
}
