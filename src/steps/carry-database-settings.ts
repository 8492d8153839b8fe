import type { Step } from '../engine/step.ts';
import { readRoles } from '../postgres/roles.ts';
import { applyRoles } from '../schema/apply-roles.ts';
import { type RoleStatement, roleStatements } from '../schema/role-statements.ts';
import { recordClusterChanges } from '../state/cluster-change.ts';

/**
 * ALTER DATABASE ... SET, ALTER ROLE ... SET, the database's owner, grants and comment, which a schema dump leaves out.
 * After the schema, because our own role may lose rights by them. Affects sessions that begin later.
 *
 * @throws {PrerequisiteError} `role_statement_failed`
 * @see https://www.postgresql.org/docs/current/sql-alterdatabase.html
 */
export const carryDatabaseSettings: Step<readonly RoleStatement[]> = {
  id: 'carry-database-settings',
  title: 'Settings and grants of database and roles',

  describe: () => [
    'target: ALTER DATABASE ... SET, ALTER ROLE ... SET, owner, grants and comment of the database',
  ],

  async observe({ source, target }) {
    const { database } = roleStatements(await readRoles(source), await readRoles(target));
    return { satisfied: database.length === 0, facts: database };
  },

  actions: ({ target, migration }, statements) => [
    {
      on: 'target',
      does: statements.map((statement) => statement.description).join('; '),
      run: () =>
        applyRoles(target, statements, (session) => recordClusterChanges(session, migration, statements)),
    },
  ],
};
