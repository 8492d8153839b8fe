/** What the migration has brought to the target and the source has taken back since. Pure. */

import type { ClusterRoles } from '../postgres/roles.ts';
import { ident } from '../postgres/sql.ts';
import { grantDescription, wantedRoles } from './role-statements.ts';

/** As the migration has noted it. */
export interface Carried {
  /** Of the statements that it has executed. */
  readonly descriptions: ReadonlySet<string>;
  /** Names. */
  readonly createdRoles: ReadonlySet<string>;
}

/**
 * Statements that would do the same on the target, of roles that have to do with this database there. A target's own roles and
 * memberships are none of them, nor are those that let our role act as others.
 */
export function revokedSince(source: ClusterRoles, target: ClusterRoles, carried: Carried): string[] {
  const concerned = new Set(wantedRoles(target, 'members').map(({ name }) => name));
  const onSource = new Set(source.roles.map(({ name }) => name));
  const memberships = new Set(source.memberships.map(grantDescription));
  const isOnSource = (name: string) => onSource.has(name) || name.startsWith('pg_');
  return [
    ...target.memberships
      .filter(({ role, member }) => concerned.has(member) && isOnSource(role) && onSource.has(member))
      .filter(({ member }) => member !== target.currentRole)
      .filter((there) => !memberships.has(grantDescription(there)))
      .filter((there) => carried.descriptions.has(grantDescription(there)))
      .map(({ role, member }) => `REVOKE ${ident(role).text} FROM ${ident(member).text}`),
    ...target.roles
      .filter(({ name }) => concerned.has(name) && carried.createdRoles.has(name) && !onSource.has(name))
      .map(({ name }) => `DROP ROLE ${ident(name).text}`),
  ];
}
