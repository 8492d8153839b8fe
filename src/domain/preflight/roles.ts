/** PGG177 to 179: roles and what hangs on them. */

import type { PreflightFacts } from './facts.ts';
import { quoteName } from './quote.ts';
import type { Rule } from './rule.ts';
import { isGone } from './settings.ts';
import { some } from './words.ts';

/** Roles that applications log in with: not ours, and not those that the target has a password for already. */
function newLogins({ source, target }: PreflightFacts): string[] {
  const there = new Set(target.roles.map((role) => role.name));
  return source.roles
    .filter((role) => role.canLogin && role.name !== source.role.name && !there.has(role.name))
    .map((role) => role.name);
}

const unreadablePasswords: Rule = {
  id: 'PGG177',
  title: 'passwords move with their roles',
  severity: 'warning',
  background: `Roles are created on the target with the verifier of their password, read from pg_authid. Where that is hidden (on managed
services from everyone, else from all but superusers) a role arrives without a password and cannot log in after the switch. Grant the
right to read it, or set the passwords on the target yourself before the cutover.`,
  check(facts) {
    const { source } = facts;
    const logins = newLogins(facts);
    if (source.passwords !== undefined || logins.length === 0) return [];
    const detail = 'Or set them on the target before the cutover: \\password in psql, for each.';
    const managed = source.identity.platform !== 'plain';
    return [
      {
        title: `passwords are not readable: ${some(logins)} would have none on the target`,
        ...(managed
          ? { detail: detail.replace('Or set', 'Set') }
          : {
              detail,
              fix: `GRANT SELECT ON pg_catalog.pg_authid TO ${quoteName(source.role.name)};`,
              fixOn: 'source' as const,
            }),
      },
    ];
  },
};

const md5Passwords: Rule = {
  id: 'PGG178',
  title: 'no password is kept as md5',
  severity: 'warning',
  background: `An md5 verifier moves as it is and still works, but from 18 on the server warns about it and a later version will not take it. A
proxy can pass SCRAM logins on without knowing the password; md5 ones it cannot. Set the password anew with password_encryption =
scram-sha-256 (\\password in psql does it without showing it).`,
  check: ({ source }) => {
    const roles = (source.passwords ?? []).filter((one) => one.kind === 'md5').map((one) => one.role);
    if (roles.length === 0) return [];
    return [
      {
        title: `md5 passwords: ${some(roles)}`,
        detail: 'Set them anew with password_encryption = scram-sha-256: \\password in psql, for each.',
      },
    ];
  },
};

const parameterGrants: Rule = {
  id: 'PGG179',
  title: 'GRANTs on parameters exist on the target',
  severity: 'warning',
  background: `GRANT SET or ALTER SYSTEM ON PARAMETER (from 15 on) belongs to the cluster, not to the database, and is in no schema dump. sync
repeats it where our role is a superuser on the target; otherwise repeat it there yourself once the role exists. One on a parameter
that the newer version no longer knows is left out.`,
  check({ source, target }) {
    const key = (one: { parameter: string; role: string; privilege: string }) =>
      JSON.stringify([one.parameter, one.role, one.privilege]);
    const there = new Set(target.parameterGrants.map(key));
    return source.parameterGrants
      .filter((one) => !there.has(key(one)) && !isGone(one.parameter, target))
      .map((one) => ({
        title: `${one.privilege} on parameter ${one.parameter} is not granted to ${one.role} on the target`,
        object: `role ${one.role}`,
        detail: 'Once the role exists there.',
        fix: `GRANT ${one.privilege} ON PARAMETER ${quoteName(one.parameter)} TO ${quoteName(one.role)};`,
        fixOn: 'target' as const,
      }));
  },
};

export const roleRules: readonly Rule[] = [unreadablePasswords, md5Passwords, parameterGrants];
