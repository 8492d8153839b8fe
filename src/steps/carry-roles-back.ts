import type { Step } from '../engine/step.ts';
import { readRolesOfBoth } from '../postgres/roles.ts';
import { applyRoles } from '../schema/apply-roles.ts';
import { agreedRoles, missingOnSource } from '../schema/role-drift.ts';
import type { RoleStatement } from '../schema/role-statements.ts';
import { readRoleRecord } from '../state/role-record.ts';

/**
 * While the target is active: brings roles, passwords, memberships and grants on the database that came to it since the cutover to the source, so that
 * nobody is refused after a rollback. They stay there: from then on they are the application's on both sides.
 *
 * @throws {PrerequisiteError} `role_statement_failed`
 */
export const carryRolesBack: Step<readonly RoleStatement[]> = {
  id: 'carry-roles-back',
  title: 'Roles, passwords, memberships for the way back',

  describe: () => [
    'source: CREATE ROLE, PASSWORD and GRANT of what came to the roles of the target since the cutover',
  ],

  async observe({ source, target, migration }) {
    const both = await readRolesOfBoth({ source, target });
    const record = agreedRoles(await readRoleRecord(target, migration), both, 'target');
    const { statements } = missingOnSource(both, record);
    return { satisfied: statements.length === 0, facts: statements };
  },

  actions: ({ source }, statements) => [
    {
      on: 'source',
      does: statements.map(({ description }) => description).join('; '),
      run: () => applyRoles(source, statements),
    },
  ],
};
