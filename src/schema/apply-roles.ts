/** Executes role statements without their secrets showing up in the server's log. */

import { describeAddress } from '../config/server-address.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { RoleStatement } from './role-statements.ts';

/**
 * All in one transaction, with `record` in it.
 *
 * @throws {PrerequisiteError} `role_statement_failed`; its message never holds a verifier.
 */
export async function applyRoles(
  connection: Connection,
  statements: readonly RoleStatement[],
  record: (connection: Connection) => Promise<void> = async () => undefined,
): Promise<void> {
  if (statements.length === 0) return;
  await connection.transaction(async () => {
    await keepOutOfLogs(connection);
    for (const { description, statement } of statements) {
      await connection.script(statement).catch((error: unknown) => {
        throw sqlState(error) === undefined ? error : failure(connection, description, error as Error);
      });
    }
    await record(connection);
  });
}

/** Only superusers may change these; others' statements are logged as the server's administrator wishes. */
async function keepOutOfLogs(connection: Connection): Promise<void> {
  const quiet = {
    log_statement: 'none',
    log_min_duration_statement: '-1',
    log_min_duration_sample: '-1',
    log_transaction_sample_rate: '0',
    log_duration: 'off',
    log_min_error_statement: 'panic',
    'pg_stat_statements.track_utility': 'off',
    'pg_stat_statements.track': 'none',
    'pgaudit.log': 'none',
  };
  await connection.query(sql`
    SELECT set_config(s.name, q.value, true)
    FROM json_each_text(${JSON.stringify(quiet)}::json) AS q(name, value)
    JOIN pg_settings s ON s.name = q.name
    WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`);
}

function failure({ address }: Connection, description: string, cause: Error): PrerequisiteError {
  return new PrerequisiteError(
    'role_statement_failed',
    `${describeAddress(address)} refuses ${description}: ${cause.message}`,
    {
      hint: 'Our role there needs CREATEROLE and ADMIN OPTION on the roles it grants, or superuser; or create the role there yourself.',
      cause,
    },
  );
}
