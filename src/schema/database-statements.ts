/** Settings and grants that belong to the database and its roles rather than to the schema. Pure. */

import type { ClusterRoles, Grant, ParameterGrant, RoleSetting } from '../postgres/roles.ts';
import { ident, list, literal, type Sql, sql, trusted } from '../postgres/sql.ts';
import { mayAlter } from './may-alter.ts';
import type { RoleStatement } from './role-statements.ts';

/** What the target's database and roles lack; `names`: the roles that are carried. */
export function databaseStatements(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] {
  return [
    ...settings(source, target, names)
      .filter(({ refusal }) => refusal === undefined)
      .filter((one) => target.database.isOurs || !one.isOfDatabase),
    ...(isSuperuser(target) ? parameterGrants(source, target, names) : []),
    ...(target.database.isOurs ? ownStatements(source, target, names) : []),
    ...(mayGiveAway(source, target) ? newOwner(source, target, names) : []),
  ];
}

/** Those of the database and of roles. */
export const storedSettings = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] => settings(source, target, names);

/** What is the database's own, where our role may not change it. */
export function missingOwnership(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): { object: string; reason: string }[] {
  const { isOurs, owner } = target.database;
  const ofDatabase = isOurs
    ? []
    : [
        ...settings(source, target, names).filter((one) => one.isOfDatabase && one.refusal === undefined),
        ...ownStatements(source, target, names),
      ];
  const given = mayGiveAway(source, target) ? [] : newOwner(source, target, names);
  return [
    ...ofDatabase.map(({ description }) => ({
      object: description,
      reason: `our role on the target does not own the database, ${owner} does`,
    })),
    ...given.map(({ description }) => ({
      object: description,
      reason:
        'our role on the target may not: it takes the ownership, CREATEDB and membership in the new owner',
    })),
  ];
}

const isSuperuser = ({ roles, currentRole }: ClusterRoles): boolean =>
  roles.some((role) => role.name === currentRole && role.isSuperuser);

const settingKey = ({ role, inThisDatabase, name }: RoleSetting): string =>
  JSON.stringify([role, inThisDatabase, name]);

const concerns = (setting: RoleSetting, names: ReadonlySet<string>): boolean =>
  setting.role === null ? setting.inThisDatabase : names.has(setting.role);

/** Every version knows them, and its pg_settings hides them from who may not read all settings. */
const HIDDEN = new Set(['dynamic_library_path', 'session_preload_libraries']);

/** A dotted name is an extension's or the application's own: every version takes it. */
const isKnown = ({ name }: RoleSetting, target: ClusterRoles): boolean =>
  name.includes('.') || HIDDEN.has(name) || target.knownSettings.includes(name);

interface SettingStatement extends RoleStatement {
  readonly isOfDatabase: boolean;
  /** Why our role on the target may not say it. */
  readonly refusal: string | undefined;
}

function settings(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): SettingStatement[] {
  const there = new Map(target.settings.map((setting) => [settingKey(setting), settingValue(setting).text]));
  return source.settings
    .filter((setting) => concerns(setting, names) && isKnown(setting, target))
    .filter((setting) => there.get(settingKey(setting)) !== settingValue(setting).text)
    .map((setting) => {
      const whose = settingOwner(setting, target.database.name);
      return {
        isOfDatabase: setting.role === null,
        refusal: refusalOf(setting, target),
        roles: setting.role === null ? [] : [setting.role],
        description: `ALTER ${setting.role === null ? 'DATABASE' : `ROLE ${setting.role}`} SET ${setting.name}`,
        statement: sql`ALTER ${whose} SET ${ident(...setting.name.split('.'))} TO ${settingValue(setting)}`,
      };
    });
}

function refusalOf({ name, role }: RoleSetting, target: ClusterRoles): string | undefined {
  if (isSuperuser(target)) return undefined;
  if (!target.settableSettings.includes(name.toLowerCase()))
    return 'our role on the target may not set it: it takes a superuser or, from 15 on, GRANT SET ON PARAMETER';
  const there = target.roles.find((one) => one.name === role);
  const own = target.roles.find((one) => one.name === target.currentRole);
  // Those that are missing our role will make, and its own settings everyone may change.
  if (there === undefined || there === own || mayAlter(there, target, own)) return undefined;
  return 'our role on the target may not change that role';
}

function settingOwner(setting: RoleSetting, database: string): Sql {
  if (setting.role === null) return sql`DATABASE ${ident(database)}`;
  const where = setting.inThisDatabase ? sql` IN DATABASE ${ident(database)}` : trusted('');
  return sql`ROLE ${ident(setting.role)}${where}`;
}

/** Settings that the server keeps as a list of quoted names, and that must be given as one. */
const NAME_LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

function settingValue({ name, value }: RoleSetting): Sql {
  if (!NAME_LISTS.has(name)) return literal(value);
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(
    (match) => match[1]?.replaceAll('""', '"') ?? match[2] ?? '',
  );
  return names.length === 0 ? literal('') : list(names.map(literal));
}

const grantedParameters = (source: ClusterRoles, names: ReadonlySet<string>): ParameterGrant[] =>
  source.parameterGrants.filter(({ grantee }) => grantee === null || names.has(grantee));

/** Grants name a parameter in lower case. Only a superuser is shown all that a server knows. */
const isKnownParameter = ({ parameter }: ParameterGrant, target: ClusterRoles): boolean =>
  !isSuperuser(target) ||
  parameter.includes('.') ||
  target.knownSettings.some((name) => name.toLowerCase() === parameter);

function lackingParameterGrants(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): ParameterGrant[] {
  const key = (grant: ParameterGrant) => JSON.stringify([grant.parameter, grant.grantee, grant.privilege]);
  const there = new Set(target.parameterGrants.map(key));
  return grantedParameters(source, names).filter((grant) => !there.has(key(grant)));
}

/** In words, and of parameters that the other server's version does not know, too. */
export const describedParameterGrants = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): string[] => lackingParameterGrants(source, target, names).map(describedGrant);

function parameterGrants(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] {
  return lackingParameterGrants(source, target, names)
    .filter((grant) => isKnownParameter(grant, target))
    .map((grant) => ({
      description: describedGrant(grant),
      roles: rolesOf(grant),
      statement: sql`GRANT ${privilegeOf(grant)} ON PARAMETER ${ident(...grant.parameter.split('.'))} TO ${granteeOf(grant)}`,
    }));
}

const describedGrant = ({ privilege, parameter, grantee }: ParameterGrant): string =>
  `GRANT ${privilege} ON PARAMETER ${parameter} TO ${grantee ?? 'PUBLIC'}`;

const rolesOf = ({ grantee }: Grant): string[] => (grantee === null ? [] : [grantee]);

const granteeOf = (grant: Grant): Sql =>
  sql`${grant.grantee === null ? trusted('PUBLIC') : ident(grant.grantee)}${trusted(grant.isGrantable ? ' WITH GRANT OPTION' : '')}`;

/** Privileges come from the catalog's own short list of keywords. */
const privilegeOf = (grant: Grant): Sql => trusted(/^[A-Z ]+$/.exec(grant.privilege)?.[0] ?? 'ALL');

function ownStatements(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] {
  const database = ident(target.database.name);
  const statements: RoleStatement[] = [];
  const say = (description: string, statement: Sql, roles: readonly string[] = []) =>
    statements.push({ description, statement, roles });
  const { comment, connectionLimit } = source.database;
  for (const grant of missingGrants(target, source, names)) {
    say(
      `REVOKE ${grant.privilege} ON DATABASE FROM ${grant.grantee ?? 'PUBLIC'}`,
      sql`REVOKE ${privilegeOf(grant)} ON DATABASE ${database} FROM ${granteeOf({ ...grant, isGrantable: false })}`,
      rolesOf(grant),
    );
  }
  statements.push(...databaseGrants(source, target, names));
  if (comment !== target.database.comment && comment !== null)
    say('COMMENT ON DATABASE', sql`COMMENT ON DATABASE ${database} IS ${literal(comment)}`);
  if (connectionLimit !== target.database.connectionLimit)
    say(
      'ALTER DATABASE CONNECTION LIMIT',
      sql`ALTER DATABASE ${database} CONNECTION LIMIT ${trusted(String(connectionLimit))}`,
    );
  return statements;
}

export const databaseGrants = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] =>
  missingGrants(source, target, names).map((grant) => ({
    description: `GRANT ${grant.privilege} ON DATABASE TO ${grant.grantee ?? 'PUBLIC'}`,
    roles: rolesOf(grant),
    statement: sql`GRANT ${privilegeOf(grant)} ON DATABASE ${ident(target.database.name)} TO ${granteeOf(grant)}`,
  }));

const newOwner = (
  { database: { owner } }: ClusterRoles,
  { database }: ClusterRoles,
  names: ReadonlySet<string>,
): RoleStatement[] =>
  owner === database.owner || !names.has(owner)
    ? []
    : [
        {
          description: `ALTER DATABASE OWNER TO ${owner}`,
          roles: [owner],
          statement: sql`ALTER DATABASE ${ident(database.name)} OWNER TO ${ident(owner)}`,
        },
      ];

/** A new owner that is not there yet is one that our role will make, and may act as. */
function mayGiveAway(
  { database: { owner } }: ClusterRoles,
  { roles, memberships, currentRole, database }: ClusterRoles,
): boolean {
  const own = roles.find(({ name }) => name === currentRole);
  if (own?.isSuperuser) return true;
  const isThere = roles.some(({ name }) => name === owner);
  const mayActAs = memberships.some(
    ({ role, member, maySet }) => role === owner && member === currentRole && maySet !== false,
  );
  return database.isOurs && own?.mayCreateDatabases === true && (!isThere || mayActAs);
}

/** What `here` grants on its database and `there` does not; an owner's own rights go with the ownership. */
function missingGrants(here: ClusterRoles, there: ClusterRoles, names: ReadonlySet<string>): Grant[] {
  const key = ({ grantee, privilege, isGrantable }: Grant) =>
    JSON.stringify([grantee, privilege, isGrantable]);
  const present = new Set(there.database.grants.map(key));
  return here.database.grants.filter(
    (grant) =>
      (grant.grantee === null || names.has(grant.grantee)) &&
      grant.grantee !== here.database.owner &&
      grant.grantee !== there.database.owner &&
      grant.grantee !== here.currentRole &&
      !present.has(key(grant)),
  );
}

/** Settings that newer versions have dropped or renamed. */
export function unknownSettings(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): { object: string; reason: string }[] {
  const unknown = source.settings
    .filter((setting) => concerns(setting, names) && !isKnown(setting, target))
    .map((setting) => ({
      object: `setting ${setting.name} of ${setting.role === null ? 'the database' : `role ${setting.role}`}`,
      reason: `PostgreSQL ${target.majorVersion} does not know it`,
    }));
  return [...unknown, ...settingsOfAll(source, target)];
}

/** Settings that our role on the target may not store. */
export const refusedSettings = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): { object: string; reason: string }[] =>
  settings(source, target, names).flatMap(({ description, refusal }) =>
    refusal === undefined ? [] : [{ object: description, reason: refusal }],
  );

/** ALTER ROLE ALL SET would change every database of the target's cluster. */
function settingsOfAll(source: ClusterRoles, target: ClusterRoles): { object: string; reason: string }[] {
  const there = new Map(target.settings.map((setting) => [settingKey(setting), setting.value]));
  return source.settings
    .filter((setting) => setting.role === null && !setting.inThisDatabase)
    .filter((setting) => there.get(settingKey(setting)) !== setting.value)
    .map((setting) => ({
      object: `setting ${setting.name} of all roles`,
      reason: 'ALTER ROLE ALL belongs to the cluster: say it there if it is wanted',
    }));
}

export const unknownParameterGrants = (
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): { object: string; reason: string }[] =>
  grantedParameters(source, names)
    .filter((grant) => !isKnownParameter(grant, target))
    .map((grant) => ({
      object: describedGrant(grant),
      reason: `PostgreSQL ${target.majorVersion} does not know it`,
    }));

/** Only a superuser may give them. */
export function missingParameterGrants(
  source: ClusterRoles,
  target: ClusterRoles,
  names: ReadonlySet<string>,
): { object: string; reason: string }[] {
  if (isSuperuser(target)) return [];
  return parameterGrants(source, target, names).map(({ description }) => ({
    object: description,
    reason: 'our role on the target is no superuser',
  }));
}
