/** Which roles of the target ours may change. Pure. */

import type { ClusterRoles, Membership, Role } from '../postgres/roles.ts';

export const membershipOf = (
  { memberships }: ClusterRoles,
  role: string,
  member: string | undefined,
): Membership | undefined => memberships.find((one) => one.role === role && one.member === member);

/** From 16 on CREATEROLE alone does not do; what is a superuser's only a superuser may change. */
export const mayAlter = (
  there: Pick<Role, 'name' | 'isSuperuser'>,
  target: ClusterRoles,
  executor: Role | undefined,
): boolean =>
  executor?.isSuperuser === true ||
  (!there.isSuperuser &&
    executor?.mayCreateRoles === true &&
    (target.majorVersion < 16 || membershipOf(target, there.name, executor.name)?.isAdmin === true));
