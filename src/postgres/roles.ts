/** Roles and what belongs to the database rather than to its schema: memberships, settings, grants. */

import { allEnded } from '../base/async.ts';
import type { Side } from '../domain/names.ts';
import { UNLISTED_SETTINGS } from '../domain/unlisted-settings.ts';
import type { Connection } from './connection.ts';
import { ofAllGrantors } from './grants.ts';
import { sql } from './sql.ts';

export interface Role {
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly inherits: boolean;
  readonly mayCreateRoles: boolean;
  readonly mayCreateDatabases: boolean;
  readonly mayLogin: boolean;
  readonly mayReplicate: boolean;
  readonly bypassesRowSecurity: boolean;
  /** -1: no limit. */
  readonly connectionLimit: number;
  /** ISO 8601, which no DateStyle reads otherwise. */
  readonly validUntil: string | null;
  readonly comment: string | null;
  /** A secret: SCRAM-SHA-256$... or md5...; null when there is none or it may not be read. */
  readonly verifier: string | null;
  /** Owns something in this database, is named in a grant, policy or setting of it, or (transitively) a group of such a role. */
  readonly isUsed: boolean;
}

/** `inherits` and `maySet` exist from 16 on; null before. One row for all grantors. */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly isAdmin: boolean;
  readonly inherits: boolean | null;
  readonly maySet: boolean | null;
}

/** ALTER ROLE / DATABASE ... SET. null: of every role, or of every database. */
export interface RoleSetting {
  readonly role: string | null;
  readonly inThisDatabase: boolean;
  readonly name: string;
  readonly value: string;
}

export interface Grant {
  /** PUBLIC is null. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly isGrantable: boolean;
}

export interface ParameterGrant extends Grant {
  readonly parameter: string;
}

export interface ClusterRoles {
  readonly majorVersion: number;
  /** The role of the session that read this, and the database. */
  readonly currentRole: string;
  readonly database: {
    readonly name: string;
    readonly owner: string;
    /** Our role is the owner, or may do what the owner may. */
    readonly isOurs: boolean;
    readonly comment: string | null;
    readonly connectionLimit: number;
    readonly grants: readonly Grant[];
  };
  /** pg_authid may be read: a null verifier means that there is no password. */
  readonly readsVerifiers: boolean;
  readonly roles: readonly Role[];
  /** pg_monitor and the like: each version brings more. */
  readonly predefinedRoles: readonly string[];
  readonly memberships: readonly Membership[];
  readonly settings: readonly RoleSetting[];
  readonly parameterGrants: readonly ParameterGrant[];
  /** What this version does not know cannot be set. */
  readonly knownSettings: readonly string[];
  /** In lower case: what our role may set, and store, without being a superuser. A custom name that no library has defined is not among them. */
  readonly settableSettings: readonly string[];
}

/**
 * Reads all roles of the cluster but the predefined ones (pg_*), and what this database says about them.
 * Verifiers are read where pg_authid may be (superusers; never on managed services).
 *
 * @see https://www.postgresql.org/docs/current/catalog-pg-authid.html
 */
export async function readRoles(connection: Connection): Promise<ClusterRoles> {
  const facts = await connection.one<{
    majorVersion: number;
    currentRole: string;
    readsVerifiers: boolean;
    predefinedRoles: string[];
    knownSettings: string[];
  }>(sql`
    SELECT current_setting('server_version_num')::int / 10000 AS "majorVersion", current_user AS "currentRole",
      has_table_privilege('pg_authid', 'SELECT') AS "readsVerifiers",
      ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname ~ '^pg_') AS "predefinedRoles",
      ARRAY(SELECT name FROM pg_settings) AS "knownSettings"`);
  return {
    ...facts,
    knownSettings: [...facts.knownSettings, ...UNLISTED_SETTINGS],
    database: await readDatabase(connection),
    roles: await readRoleRows(connection, facts.readsVerifiers),
    memberships: await readMemberships(connection, facts.majorVersion),
    settings: await readSettings(connection),
    settableSettings: await readSettableSettings(connection, facts.majorVersion),
    parameterGrants: facts.majorVersion >= 15 ? await readParameterGrants(connection) : [],
  };
}

export type RolesOfBoth = Readonly<Record<Side, ClusterRoles>>;

export async function readRolesOfBoth(sides: Readonly<Record<Side, Connection>>): Promise<RolesOfBoth> {
  const [source, target] = await allEnded([readRoles(sides.source), readRoles(sides.target)]);
  return { source, target };
}

async function readDatabase(connection: Connection): Promise<ClusterRoles['database']> {
  return connection.one(sql`
    SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner, pg_has_role(d.datdba, 'USAGE') AS "isOurs", d.datconnlimit AS "connectionLimit",
      shobj_description(d.oid, 'pg_database') AS comment,
      (SELECT coalesce(json_agg(json_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type, 'isGrantable', a.is_grantable)
          ORDER BY pg_get_userbyid(a.grantee)::text COLLATE "C", a.privilege_type), '[]')
        FROM ${ofAllGrantors(sql`coalesce(d.datacl, acldefault('d', d.datdba))`)} AS a) AS grants
    FROM pg_database d WHERE d.datname = current_database()`);
}

/** The bootstrap superuser's ownership is not in pg_shdepend, so it always counts as used. */
async function readRoleRows(connection: Connection, readsVerifiers: boolean): Promise<Role[]> {
  const verifier = readsVerifiers
    ? sql`(SELECT a.rolpassword FROM pg_authid a WHERE a.oid = r.oid)`
    : sql`NULL::text`;
  return connection.query<Role>(sql`
    WITH RECURSIVE used AS (
      SELECT d.refobjid AS oid FROM pg_shdepend d JOIN pg_database b ON b.datname = current_database()
      WHERE d.refclassid = 'pg_authid'::regclass
        AND (d.dbid = b.oid OR (d.classid = 'pg_database'::regclass AND d.objid = b.oid))
      UNION SELECT datdba FROM pg_database WHERE datname = current_database()
      UNION SELECT setrole FROM pg_db_role_setting s JOIN pg_database b ON b.oid = s.setdatabase
        WHERE b.datname = current_database()
      UNION SELECT 10::oid
      UNION SELECT m.roleid FROM used JOIN pg_auth_members m ON m.member = used.oid
    )
    SELECT r.rolname AS name, r.rolsuper AS "isSuperuser", r.rolinherit AS inherits,
      r.rolcreaterole AS "mayCreateRoles", r.rolcreatedb AS "mayCreateDatabases", r.rolcanlogin AS "mayLogin",
      r.rolreplication AS "mayReplicate", r.rolbypassrls AS "bypassesRowSecurity",
      r.rolconnlimit AS "connectionLimit", to_json(r.rolvaliduntil) #>> '{}' AS "validUntil",
      shobj_description(r.oid, 'pg_authid') AS comment, ${verifier} AS verifier,
      r.oid IN (SELECT oid FROM used) AS "isUsed"
    FROM pg_roles r WHERE r.rolname !~ '^pg_'
    ORDER BY r.rolname COLLATE "C"`);
}

async function readMemberships(connection: Connection, majorVersion: number): Promise<Membership[]> {
  const options =
    majorVersion >= 16
      ? sql`bool_or(m.inherit_option) AS inherits, bool_or(m.set_option) AS "maySet"`
      : sql`NULL::boolean AS inherits, NULL::boolean AS "maySet"`;
  return connection.query<Membership>(sql`
    SELECT pg_get_userbyid(m.roleid) AS role, pg_get_userbyid(m.member) AS member,
      bool_or(m.admin_option) AS "isAdmin", ${options}
    FROM pg_auth_members m WHERE pg_get_userbyid(m.member) !~ '^pg_'
    GROUP BY m.roleid, m.member
    ORDER BY pg_get_userbyid(m.roleid)::text COLLATE "C", pg_get_userbyid(m.member)::text COLLATE "C"`);
}

async function readSettings(connection: Connection): Promise<RoleSetting[]> {
  return connection.query<RoleSetting>(sql`
    SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END AS role,
      s.setdatabase <> 0 AS "inThisDatabase",
      split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
    FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY 1 NULLS FIRST, 2, 3`);
}

async function readSettableSettings(connection: Connection, majorVersion: number): Promise<string[]> {
  const granted =
    majorVersion >= 15
      ? sql`UNION SELECT parname FROM pg_parameter_acl WHERE has_parameter_privilege(parname, 'SET')`
      : sql``;
  const rows = await connection.query<{ name: string }>(
    sql`SELECT lower(name) AS name FROM pg_settings WHERE context = 'user' ${granted}`,
  );
  return [...rows.map(({ name }) => name), ...UNLISTED_SETTINGS];
}

/** A superuser's is in the list as soon as there is another, and says nothing. */
async function readParameterGrants(connection: Connection): Promise<ParameterGrant[]> {
  return connection.query<ParameterGrant>(sql`
    SELECT p.parname AS parameter, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS grantee,
      a.privilege_type AS privilege, a.is_grantable AS "isGrantable"
    FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) AS a
    WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolsuper)
    ORDER BY 1, 2, 3`);
}

/** A secret; undefined when the role may not log in now, or has none. Needs the right to read pg_authid. */
export async function logInVerifier(connection: Connection, role: string): Promise<string | undefined> {
  const [row] = await connection.query<{ verifier: string | null }>(sql`
    SELECT rolpassword AS verifier FROM pg_catalog.pg_authid
    WHERE rolname = ${role} AND rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil > now())`);
  return row?.verifier ?? undefined;
}
