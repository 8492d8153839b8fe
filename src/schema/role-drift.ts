/** What became of roles on the active side since both sides were last looked at, and the other side has not followed. Pure. */

import { SIDES, type Side } from '../domain/names.ts';
import type { ClusterRoles, Role, RolesOfBoth } from '../postgres/roles.ts';
import { ident, literal } from '../postgres/sql.ts';
import { databaseGrants, describedParameterGrants, storedSettings } from './database-statements.ts';
import { type RoleStatement, roleStatements, unknownMemberships, wantedRoles } from './role-statements.ts';

const ATTRIBUTES = {
  isSuperuser: 'SUPERUSER',
  inherits: 'INHERIT',
  mayCreateRoles: 'CREATEROLE',
  mayCreateDatabases: 'CREATEDB',
  mayLogin: 'LOGIN',
  mayReplicate: 'REPLICATION',
  bypassesRowSecurity: 'BYPASSRLS',
} as const satisfies Partial<Readonly<Record<keyof Role, string>>>;
const NAMES = Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[];

type Options = Readonly<
  Record<keyof typeof ATTRIBUTES, boolean> & { connectionLimit: number; validUntil: string | null }
>;

/** What both sides had in common of a role. */
export interface AgreedRole {
  /** Only those that were the same. */
  readonly options: Partial<Options>;
  /** Both could be read, and were the same one; the verifier itself is a secret. */
  readonly hasSamePassword: boolean;
  readonly memberOf: readonly string[];
}

/** By name. Null: a role of the target's own. */
export type RoleRecord = ReadonlyMap<string, AgreedRole | null>;

/** What is the same now, and what was the same and has changed on one side only: that is still to be followed. */
export function agreedRoles(record: RoleRecord, both: RolesOfBoth, active: Side): RoleRecord {
  const { source, target } = both;
  const names = [...source.roles, ...target.roles].map(({ name }) => name);
  const agreed = [...new Set(names)].flatMap((name): [string, AgreedRole | null][] => {
    const [onSource, onTarget] = [roleOf(source, name), roleOf(target, name)];
    const before = record.get(name);
    if (onSource !== undefined && onTarget !== undefined)
      return [[name, agreement(before ?? undefined, { source: onSource, target: onTarget }, both)]];
    if (before !== undefined) return [[name, before]];
    // What comes to the target while it is active is the application's; with the first look nothing has come yet.
    const isOwn = active === 'source' || record.size === 0;
    return onTarget !== undefined && isOwn ? [[name, null]] : [];
  });
  return new Map(agreed);
}

function agreement(
  before: AgreedRole | undefined,
  { source, target }: Readonly<Record<Side, Role>>,
  both: RolesOfBoth,
): AgreedRole {
  const [here, there] = [optionsOf(source), optionsOf(target)];
  const same = Object.entries(here).filter(([key, value]) => there[key as keyof Options] === value);
  const [groups, others] = SIDES.map((side) => groupsOf(both[side], source.name));
  const known = new Set(before?.memberOf);
  const isEither = source.verifier !== null || target.verifier !== null;
  return {
    options: { ...before?.options, ...Object.fromEntries(same) },
    hasSamePassword: isEither && (source.verifier === target.verifier || before?.hasSamePassword === true),
    memberOf: [...new Set([...(groups ?? []), ...(others ?? [])])]
      .filter((group) => known.has(group) || (groups?.has(group) && others?.has(group)))
      .sort(),
  };
}

interface Ends {
  readonly active: ClusterRoles;
  readonly passive: ClusterRoles;
}

/**
 * Statements that do on the passive side what was done on the active one, of roles that have to do with this database on either:
 * attributes that changed, passwords, memberships and roles that went. A side's own roles and memberships are none of them, nor are
 * those that let our role act as others.
 */
export function roleDrift({ active, passive }: Ends, record: RoleRecord): string[] {
  const names = [active, passive].flatMap((roles) => wantedRoles(roles, 'members').map(({ name }) => name));
  const concerned = [...new Set(names)].filter((name) => !isOurs(name, { active, passive })).sort();
  const known = concerned.flatMap((name) => {
    const agreed = record.get(name);
    const there = roleOf(passive, name);
    return agreed == null || there === undefined ? [] : [{ agreed, there, here: roleOf(active, name) }];
  });
  return [
    ...known.flatMap(({ agreed, here, there }) => alterRole(agreed, here, there, active)),
    ...known.flatMap(({ agreed, here, there }) =>
      here === undefined ? [] : revocations(agreed, there.name, { active, passive }),
    ),
    ...known.flatMap(({ agreed, here, there }) =>
      here === undefined && !isDisabled(agreed, there) ? [`DROP ROLE ${ident(there.name).text}`] : [],
    ),
  ];
}

/** In place of a role that cannot be dropped there, because another database needs it. */
const isDisabled = ({ options }: AgreedRole, { mayLogin }: Role): boolean =>
  options.mayLogin === true && !mayLogin;

const isOurs = (name: string, { active, passive }: Ends): boolean =>
  name === active.currentRole || name === passive.currentRole;

function alterRole(
  { options, hasSamePassword }: AgreedRole,
  here: Role | undefined,
  there: Role,
  { readsVerifiers }: ClusterRoles,
): string[] {
  if (here === undefined) return [];
  const [now, other] = [optionsOf(here), optionsOf(there)];
  const changed = (key: keyof Options) =>
    key in options && now[key] !== options[key] && now[key] !== other[key];
  const words = [
    ...NAMES.filter(changed).map((key) => (now[key] ? ATTRIBUTES[key] : `NO${ATTRIBUTES[key]}`)),
    ...(changed('connectionLimit') ? [`CONNECTION LIMIT ${now.connectionLimit}`] : []),
    ...(changed('validUntil') ? [`VALID UNTIL ${literal(now.validUntil ?? 'infinity').text}`] : []),
    ...(hasSamePassword && readsVerifiers && here.verifier === null && there.verifier !== null
      ? ['PASSWORD NULL']
      : []),
  ];
  return words.length === 0 ? [] : [`ALTER ROLE ${ident(there.name).text} ${words.join(' ')}`];
}

function revocations({ memberOf }: AgreedRole, member: string, { active, passive }: Ends): string[] {
  const [here, there] = [groupsOf(active, member), groupsOf(passive, member)];
  return memberOf
    .filter((group) => there.has(group) && !here.has(group))
    .filter((group) => group.startsWith('pg_') || roleOf(active, group) !== undefined)
    .map((group) => `REVOKE ${ident(group).text} FROM ${ident(member).text}`);
}

export interface Missing {
  /** Without them who connects anew is refused. */
  readonly statements: readonly RoleStatement[];
  /** Stored settings, grants on parameters, and memberships in what only the newer server has: they are told, and left. */
  readonly left: readonly string[];
}

/**
 * Roles, passwords, memberships, grants on the database and stored settings that came to the target while it was active. What was never
 * the same on both sides (the target's own roles, a superuser's password that our role could not carry) is none of it.
 */
export function missingOnSource({ source, target }: RolesOfBoth, record: RoleRecord): Missing {
  const ends = { active: target, passive: source };
  const roles = target.roles
    .filter(({ name }) => record.get(name) !== null && !isOurs(name, ends))
    .map((role) => (record.get(role.name)?.hasSamePassword === false ? { ...role, verifier: null } : role));
  const applications = { ...target, roles };
  const names = new Set(wantedRoles(applications, 'members').map(({ name }) => name));
  const missing = [
    ...roleStatements(applications, source, { include: 'members' }).roles,
    ...(source.database.isOurs ? databaseGrants(applications, source, names) : []),
  ];
  return {
    // What lets our role act as others is none of the application's, and what PUBLIC may the source's administrator has said.
    statements: missing.filter(({ roles: named }) => named.length > 0 && !named.includes(source.currentRole)),
    left: [
      ...storedSettings(applications, source, names).map(({ description }) => description),
      ...unknownMemberships(applications, source, names).map(
        ({ role, member }) => `GRANT ${role} TO ${member}`,
      ),
      ...describedParameterGrants(applications, source, names),
    ],
  };
}

const roleOf = ({ roles }: ClusterRoles, name: string): Role | undefined =>
  roles.find((role) => role.name === name);

const groupsOf = ({ memberships }: ClusterRoles, member: string): ReadonlySet<string> =>
  new Set(memberships.filter((one) => one.member === member).map(({ role }) => role));

/** Each server tells a time in its own zone. */
function optionsOf(role: Role): Options {
  const { connectionLimit, validUntil } = role;
  const ms = Date.parse(validUntil ?? '');
  return {
    ...(Object.fromEntries(NAMES.map((name) => [name, role[name]])) as Record<
      keyof typeof ATTRIBUTES,
      boolean
    >),
    connectionLimit,
    // PostgreSQL takes 'infinity' for the same as none.
    validUntil: validUntil === 'infinity' ? null : Number.isNaN(ms) ? validUntil : new Date(ms).toISOString(),
  };
}
