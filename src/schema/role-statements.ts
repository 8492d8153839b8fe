/** What makes the target's roles like the source's. Pure. */

import type { ClusterRoles, Membership, Role } from '../postgres/roles.ts';
import { ident, list, literal, type Sql, sql, trusted } from '../postgres/sql.ts';
import {
  databaseStatements,
  missingOwnership,
  missingParameterGrants,
  refusedSettings,
  unknownParameterGrants,
  unknownSettings,
} from './database-statements.ts';
import { mayAlter, membershipOf } from './may-alter.ts';
import { isOfProvider } from './provider-roles.ts';

export interface RoleStatement {
  /** Tells it without secrets. */
  readonly description: string;
  /** May hold a password's verifier: never to be shown or logged. */
  readonly statement: Sql;
  /** Dropping one of them undoes it. */
  readonly roles: readonly string[];
  /** Set on CREATE ROLE, so that abort can drop it. */
  readonly createsRole?: string;
}

export interface RolePlan {
  /** Before the schema: roles, passwords, memberships. */
  readonly roles: readonly RoleStatement[];
  /** After the schema: the database's settings, owner, grants, comment. A target role that is no superuser may lose its rights by them. */
  readonly database: readonly RoleStatement[];
  readonly notCarried: readonly { readonly object: string; readonly reason: string }[];
}

export interface RoleOptions {
  /**
   * `used`: those this database needs. `members`: those, and who may log in as a member of one. `login` (default): those, and
   * every role that may log in.
   */
  readonly include?: Include;
}
type Include = 'used' | 'members' | 'login';

/**
 * The difference only: empty once applied. Roles that the target has already are kept as they are, but for the
 * password of login roles, which is made equal (the proxy logs in with the same one on both sides); that of the
 * role we log in with ourselves is left alone. Grantors are not carried: each membership is granted by who executes
 * this, because 16 refuses to grant in the name of others.
 */
export function roleStatements(
  source: ClusterRoles,
  target: ClusterRoles,
  options: RoleOptions = {},
): RolePlan {
  const wanted = wantedRoles(source, options.include ?? 'login');
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const existing = new Map(target.roles.map((role) => [role.name, role]));
  const executor = existing.get(target.currentRole);
  const carried = wanted.filter((role) => existing.has(role.name) || !isOfProvider(role.name));
  const names = new Set(carried.map((role) => role.name));
  return {
    roles: [
      ...carried.flatMap((role) => (existing.get(role.name) === undefined ? createRole(role, executor) : [])),
      ...carried.flatMap((role) => actAs(role, existing.get(role.name), target, executor)),
      ...carried.flatMap((role) => equalPassword(role, existing.get(role.name), target, executor)),
      ...missingMemberships(source, target, names)
        .filter((wanted) => mayGrant(wanted, target, executor))
        .map((wanted) => membershipStatement(wanted, target)),
    ],
    database: databaseStatements(source, target, names),
    notCarried: [
      ...carried.flatMap((role) => roleNotes(role, existing.get(role.name), { source, target, executor })),
      ...wanted
        .filter((role) => !names.has(role.name))
        .map((role) => ({
          object: `role ${role.name}`,
          reason: 'made by the service provider, missing on the target',
        })),
      ...source.roles
        .filter((role) => !wantedNames.has(role.name) && !existing.has(role.name))
        .map((role) => ({
          object: `role ${role.name}`,
          reason: 'may not log in, and nothing of this database belongs or is granted to it',
        })),
      ...unknownSettings(source, target, names),
      ...refusedSettings(source, target, names),
      ...missingMemberships(source, target, names)
        .filter((wanted) => !mayGrant(wanted, target, executor))
        .map(({ role, member }) => ({
          object: `GRANT ${role} TO ${member}`,
          reason: 'our role on the target may not grant it',
        })),
      ...unknownParameterGrants(source, target, names),
      ...missingParameterGrants(source, target, names),
      ...missingOwnership(source, target, names),
    ],
  };
}

/** Those that a database needs. */
export function wantedRoles(source: ClusterRoles, include: Include): Role[] {
  const wanted = new Set(
    source.roles
      .filter((role) => role.isUsed || (include === 'login' && role.mayLogin))
      .map(({ name }) => name),
  );
  if (include === 'members') addMembers(wanted, source);
  // Groups of groups: until nothing is added.
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const { role, member } of source.memberships) if (wanted.has(member)) wanted.add(role);
  }
  return source.roles.filter((role) => wanted.has(role.name));
}

/** Who may log in and has the rights of one of them, directly or through groups. */
function addMembers(wanted: Set<string>, { roles, memberships }: ClusterRoles): void {
  const below = new Set(wanted);
  for (let size = -1; size !== below.size; ) {
    size = below.size;
    for (const { role, member } of memberships) if (below.has(role)) below.add(member);
  }
  for (const { name, mayLogin } of roles) if (mayLogin && below.has(name)) wanted.add(name);
}

function createRole(role: Role, executor: Role | undefined): RoleStatement[] {
  const attributes = list(attributesOf(role, executor), ' ');
  const comment =
    role.comment === null
      ? []
      : [
          {
            description: `COMMENT ON ROLE ${role.name}`,
            roles: [role.name],
            statement: sql`COMMENT ON ROLE ${ident(role.name)} IS ${literal(role.comment)}`,
          },
        ];
  return [
    {
      description: `CREATE ROLE ${role.name}`,
      roles: [role.name],
      statement: sql`CREATE ROLE ${ident(role.name)} WITH ${attributes}`,
      createsRole: role.name,
    },
    ...comment,
  ];
}

const flag = (isSet: boolean, name: string): Sql => trusted(isSet ? name : `NO${name}`);

/** Attributes that the executor may not give are left out (and noted). */
function attributesOf(role: Role, executor: Role | undefined): Sql[] {
  const may = grantable(executor);
  return [
    flag(role.inherits, 'INHERIT'),
    flag(role.mayCreateRoles, 'CREATEROLE'),
    flag(role.mayLogin, 'LOGIN'),
    ...(may.superuser ? [flag(role.isSuperuser, 'SUPERUSER')] : []),
    ...(may.createDatabase ? [flag(role.mayCreateDatabases, 'CREATEDB')] : []),
    ...(may.replicate ? [flag(role.mayReplicate, 'REPLICATION')] : []),
    ...(may.bypass ? [flag(role.bypassesRowSecurity, 'BYPASSRLS')] : []),
    ...(role.connectionLimit === -1 ? [] : [trusted(`CONNECTION LIMIT ${role.connectionLimit}`)]),
    ...(role.validUntil === null ? [] : [sql`VALID UNTIL ${literal(role.validUntil)}`]),
    ...(role.verifier === null ? [] : [sql`PASSWORD ${literal(role.verifier)}`]),
  ];
}

const grantable = (executor: Role | undefined) => {
  const isSuperuser = executor?.isSuperuser ?? false;
  return {
    superuser: isSuperuser,
    createDatabase: isSuperuser || (executor?.mayCreateDatabases ?? false),
    replicate: isSuperuser || (executor?.mayReplicate ?? false),
    bypass: isSuperuser || (executor?.bypassesRowSecurity ?? false),
  };
};

/**
 * Who creates a role may hand it on, but is no member of it (of a server before 16) or may not act as it (from 16 on): to give
 * it objects, and to write into them as the apply worker does, we must.
 */
function actAs(
  role: Role,
  there: Role | undefined,
  target: ClusterRoles,
  executor: Role | undefined,
): RoleStatement[] {
  if (executor === undefined || executor.isSuperuser || !role.isUsed || role.name === executor.name)
    return [];
  const ours = membershipOf(target, role.name, executor.name);
  const wanted = { role: role.name, member: executor.name, isAdmin: false, inherits: true, maySet: true };
  // Of a role that was there, only what we may grant ourselves; `check` asks for the rest.
  if (there !== undefined && (ours?.isAdmin !== true || includes(ours, wanted))) return [];
  return [membershipStatement(wanted, target)];
}

const hasOtherPassword = (role: Role, there: Role | undefined, target: ClusterRoles): there is Role =>
  there !== undefined &&
  role.mayLogin &&
  role.verifier !== null &&
  role.name !== target.currentRole &&
  target.readsVerifiers &&
  there.verifier !== role.verifier;

function equalPassword(
  role: Role,
  there: Role | undefined,
  target: ClusterRoles,
  executor: Role | undefined,
): RoleStatement[] {
  if (role.verifier === null || !hasOtherPassword(role, there, target)) return [];
  if (!mayAlter(there, target, executor)) return [];
  return [
    {
      description: `ALTER ROLE ${role.name} PASSWORD (verifier)`,
      roles: [role.name],
      statement: sql`ALTER ROLE ${ident(role.name)} PASSWORD ${literal(role.verifier)}`,
    },
  ];
}

function missingMemberships(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): Membership[] {
  const key = ({ role, member }: Membership) => JSON.stringify([role, member]);
  const there = new Map(target.memberships.map((membership) => [key(membership), membership]));
  return source.memberships
    .filter(
      ({ role, member }) => names.has(member) && (names.has(role) || target.predefinedRoles.includes(role)),
    )
    .filter((wanted) => !includes(there.get(key(wanted)), wanted));
}

/** In predefined roles that the other server's version does not have: an older one's, on the way back. */
export const unknownMemberships = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): Membership[] =>
  source.memberships.filter(
    ({ role, member }) =>
      names.has(member) && source.predefinedRoles.includes(role) && !target.predefinedRoles.includes(role),
  );

/** Those that our role creates are its to grant. */
function mayGrant({ role }: Membership, target: ClusterRoles, executor: Role | undefined): boolean {
  const there = target.roles.find(({ name }) => name === role);
  const isPredefined = role.startsWith('pg_');
  if (there === undefined && !isPredefined) return true;
  return mayAlter({ name: role, isSuperuser: there?.isSuperuser ?? false }, target, executor);
}

const membershipStatement = (wanted: Membership, target: ClusterRoles): RoleStatement => ({
  description: `GRANT ${wanted.role} TO ${wanted.member}`,
  roles: [wanted.role, wanted.member],
  statement: sql`GRANT ${ident(wanted.role)} TO ${ident(wanted.member)}${membershipOptions(wanted, target.majorVersion)}`,
});

/** Other grantors may have granted more; that is left. */
function includes(there: Membership | undefined, wanted: Membership): boolean {
  if (there === undefined) return false;
  const holds = (a: boolean | null, b: boolean | null) => a === null || a || b !== true;
  return (
    holds(there.isAdmin, wanted.isAdmin) &&
    holds(there.inherits, wanted.inherits) &&
    holds(there.maySet, wanted.maySet)
  );
}

/** Before 16 a role inherited all or nothing: 16 takes its INHERIT attribute for the default. */
function membershipOptions(wanted: Membership, targetMajor: number): Sql {
  if (wanted.inherits !== null && wanted.maySet !== null && targetMajor >= 16) {
    const { isAdmin, inherits, maySet } = wanted;
    return trusted(` WITH ADMIN ${isAdmin}, INHERIT ${inherits}, SET ${maySet}`);
  }
  return trusted(wanted.isAdmin ? ' WITH ADMIN OPTION' : '');
}

function roleNotes(
  role: Role,
  there: Role | undefined,
  { source, target, executor }: { source: ClusterRoles; target: ClusterRoles; executor: Role | undefined },
): RolePlan['notCarried'] {
  const object = `role ${role.name}`;
  const notes: string[] = [];
  if (role.mayLogin && !source.readsVerifiers && there === undefined)
    notes.push(
      'password not carried: pg_authid may not be read on the source; set it with ALTER ROLE ... PASSWORD',
    );
  if (there === undefined) {
    const may = grantable(executor);
    const lost = [
      ...(role.isSuperuser && !may.superuser ? ['SUPERUSER'] : []),
      ...(role.mayCreateDatabases && !may.createDatabase ? ['CREATEDB'] : []),
      ...(role.mayReplicate && !may.replicate ? ['REPLICATION'] : []),
      ...(role.bypassesRowSecurity && !may.bypass ? ['BYPASSRLS'] : []),
    ];
    if (lost.length > 0) notes.push(`${lost.join(', ')} not carried: our role on the target may not give it`);
  } else if (otherAttributes(role, there).length > 0) {
    notes.push(
      `exists on the target with other attributes, and is left so: ${otherAttributes(role, there).join(', ')} there`,
    );
  }
  if (there !== undefined && role.mayLogin && !there.mayLogin) {
    notes.push('exists on the target without LOGIN, and is left so');
  } else if (there !== undefined && role.mayLogin && role.verifier !== null && !target.readsVerifiers) {
    notes.push(
      'exists on the target, where pg_authid may not be read: see to it that the password is the same',
    );
  }
  if (hasOtherPassword(role, there, target) && !mayAlter(there, target, executor))
    notes.push('exists on the target with another password, which our role there may not change');
  return notes.map((reason) => ({ object, reason }));
}

/** As the target has them. LOGIN is told by itself. */
function otherAttributes(role: Role, there: Role): string[] {
  const pairs: readonly (readonly [string, boolean, boolean])[] = [
    ['SUPERUSER', role.isSuperuser, there.isSuperuser],
    ['INHERIT', role.inherits, there.inherits],
    ['CREATEROLE', role.mayCreateRoles, there.mayCreateRoles],
    ['CREATEDB', role.mayCreateDatabases, there.mayCreateDatabases],
    ['REPLICATION', role.mayReplicate, there.mayReplicate],
    ['BYPASSRLS', role.bypassesRowSecurity, there.bypassesRowSecurity],
  ];
  const differing = pairs.filter(([, here, other]) => here !== other);
  return [
    ...differing.map(([name, , isSet]) => (isSet ? name : `NO${name}`)),
    ...(role.connectionLimit === there.connectionLimit ? [] : [`CONNECTION LIMIT ${there.connectionLimit}`]),
  ];
}
