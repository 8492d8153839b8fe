import type { Step } from '../engine/step.ts';
import { readRoles } from '../postgres/roles.ts';
import { applyRoles } from '../schema/apply-roles.ts';
import { type RoleStatement, roleStatements } from '../schema/role-statements.ts';
import { recordClusterChanges } from '../state/cluster-change.ts';
import { recordCreatedRoles } from '../state/created-role.ts';

/**
 * Makes the target's roles like the source's: login roles with their verifiers (so that a client's password, and the
 * proxy's log-in, work on both sides), memberships, written anew for the target's rules. Roles that exist stay.
 *
 * @throws {PrerequisiteError} `role_statement_failed`
 * @see https://www.postgresql.org/docs/current/sql-createrole.html
 */
export const carryRoles: Step<readonly RoleStatement[]> = {
  id: 'carry-roles',
  title: 'Roles, passwords, memberships',

  describe: () => [
    'target: CREATE ROLE with attributes and verifier, GRANT memberships, for every role of the source that logs in or owns something',
  ],

  async observe({ source, target }) {
    const { roles } = roleStatements(await readRoles(source), await readRoles(target));
    return { satisfied: roles.length === 0, facts: roles };
  },

  actions: ({ target, migration }, statements) => [
    {
      on: 'target',
      does: statements.map((statement) => statement.description).join('; '),
      run: () =>
        applyRoles(target, statements, async (session) => {
          const created = statements.flatMap(({ createsRole }) => createsRole ?? []);
          await recordCreatedRoles(session, migration, created);
          await recordClusterChanges(session, migration, statements);
        }),
    },
  ],
};
