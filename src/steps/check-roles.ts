import { allEnded } from '../base/async.ts';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import { type ClusterRoles, readRoles } from '../postgres/roles.ts';
import { type Carried, revokedSince } from '../schema/revoked-roles.ts';
import { type RoleStatement, roleStatements } from '../schema/role-statements.ts';
import { readClusterChanges } from '../state/cluster-change.ts';
import { createdRoles } from '../state/created-role.ts';

/**
 * Refuses a cutover when roles, passwords, memberships or stored settings of this database came to the source after sync
 * carried them: clients that connect anew after the switch would be refused. Or when what sync carried was taken back on the
 * source: who was shut out there would be let in again. A way back is not refused for it, only
 * warned of: nothing brings roles to the source, and who goes back is in a hurry. Reads only.
 *
 * @throws {SwitchoverAbortedError} `role_drift`, with what is missing, without secrets
 */
export const checkRoles: SwitchoverStep = {
  id: 'check-roles',
  title: 'Guardrails: roles and passwords are on the new side',
  describe: ({ from, to }) => [`compare the roles of this database on the ${from} with those on the ${to}`],

  async run({ oldSide, newSide, to, events, migration }) {
    const [old, fresh] = await allEnded([readRoles(oldSide), readRoles(newSide)]);
    if (to === 'source') {
      const missing = roleStatements(withoutOurs(old), fresh, { include: 'members' }).roles;
      if (missing.length > 0)
        await events.emit('warning', {
          code: 'role_drift',
          message: `The source's roles are not what they are on the target: ${listed(missing)}`,
          hint: 'Make the same changes there: clients that connect anew may be refused.',
        });
      return;
    }
    const { roles, database } = roleStatements(old, fresh, { include: 'members' });
    const missing = [...roles, ...database];
    if (missing.length === 0) return refuseRevoked(old, fresh, await carriedBy(newSide, migration));
    throw new SwitchoverAbortedError(
      'role_drift',
      `Roles or settings of the source changed since the sync. Not on the target: ${listed(missing)}`,
      {
        hint: 'Run pgglide sync: it brings them to the target. Then try again.',
        facts: { missing: missing.map(({ description }) => description) },
      },
    );
  },
};

async function carriedBy(target: Connection, migration: string): Promise<Carried> {
  const [changes, created] = await Promise.all([
    readClusterChanges(target, migration),
    createdRoles(target, migration),
  ]);
  return {
    descriptions: new Set(changes.map(({ description }) => description)),
    createdRoles: new Set(created),
  };
}

/** Sync takes nothing away from the target: roles that it drops might own something by now. */
function refuseRevoked(source: ClusterRoles, target: ClusterRoles, carried: Carried): void {
  const revoked = revokedSince(source, target, carried);
  if (revoked.length === 0) return;
  throw new SwitchoverAbortedError(
    'role_drift',
    `Taken back on the source since the sync, and still on the target: ${revoked.join('; ')}`,
    {
      hint: `On the target, as ${target.currentRole}: ${revoked.join('; ')}; then try again.`,
      facts: { revoked },
    },
  );
}

const listed = (statements: readonly RoleStatement[]): string =>
  statements.map(({ description }) => description).join('; ');

/** The role that pgglide logs in with on the target needs not be on the source. */
const withoutOurs = (roles: ClusterRoles): ClusterRoles => ({
  ...roles,
  roles: roles.roles.filter(({ name }) => name !== roles.currentRole),
});
