import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { SwitchoverStep } from '../engine/switchover-step.ts';
import { type RolesOfBoth, readRolesOfBoth } from '../postgres/roles.ts';
import {
  agreedRoles,
  type Missing,
  missingOnSource,
  type RoleRecord,
  roleDrift,
} from '../schema/role-drift.ts';
import { type RoleStatement, roleStatements } from '../schema/role-statements.ts';
import { readRoleRecord } from '../state/role-record.ts';

/**
 * Refuses a switch when roles, passwords or memberships of this database came to the old side since both were alike (for a cutover also
 * stored settings): clients that connect anew after the switch would be refused. Or when something was taken back there, an attribute,
 * a password, a membership, a role: who was shut out would be let in again. Reads only.
 *
 * @throws {SwitchoverAbortedError} `role_drift`, with what is missing, without secrets
 */
export const checkRoles: SwitchoverStep = {
  id: 'check-roles',
  title: 'Guardrails: roles and passwords are on the new side',
  describe: ({ from, to }) => [`compare the roles of this database on the ${from} with those on the ${to}`],

  async run({ source, target, from, to, migration, events }) {
    const both = await readRolesOfBoth({ source, target });
    const record = agreedRoles(await readRoleRecord(target, migration), both, from);
    const missing = missingOn(to, both, record);
    if (missing.statements.length > 0) throw lacks(missing.statements.map(descriptionOf), from, to);
    const drift = roleDrift({ active: both[from], passive: both[to] }, record);
    if (drift.length > 0) throw drifted(drift, from, to, both[to].currentRole);
    if (missing.left.length > 0) await events.emit('warning', staysOnTarget(missing.left));
  },
};

const descriptionOf = ({ description }: RoleStatement): string => description;

function missingOn(to: Side, both: RolesOfBoth, record: RoleRecord): Missing {
  if (to === 'source') return missingOnSource(both, record);
  const { roles, database } = roleStatements(both.source, both.target, { include: 'members' });
  return { statements: [...roles, ...database], left: [] };
}

const staysOnTarget = (left: readonly string[]) => ({
  code: 'role_drift',
  message: `Settings and grants of the target that the source does not have: ${left.join('; ')}`,
  hint: 'Where the application needs them, make there what that version has: sessions that begin after the rollback run without them.',
});

const lacks = (missing: readonly string[], from: Side, to: Side): SwitchoverAbortedError =>
  new SwitchoverAbortedError(
    'role_drift',
    `Roles or settings of the ${from} changed since the sync. Not on the ${to}: ${missing.join('; ')}`,
    { hint: `Run pgglide sync: it brings them to the ${to}. Then try again.`, facts: { missing } },
  );

/** Neither sync does that: who took something away knows what may depend on it there. */
const drifted = (
  statements: readonly string[],
  from: Side,
  to: Side,
  ourRole: string,
): SwitchoverAbortedError =>
  new SwitchoverAbortedError(
    'role_drift',
    `Changed on the ${from} since the sync, and not on the ${to}: ${statements.join('; ')}`,
    {
      hint: `On the ${to}, as ${ourRole}: ${statements.join('; ')}; then try again. A role that another database needs there: ALTER ROLE ... NOLOGIN does, too.`,
      facts: { statements },
    },
  );
