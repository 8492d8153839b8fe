/** Takes all rows out of tables of the side that nobody but us writes on. */

import { messageOf } from '../base/message-of.ts';
import { describeAddress } from '../config/server-address.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import { qualified } from '../domain/names.ts';
import type { LinkedTable } from '../domain/plan.ts';
import { type BriefLockOptions, withBriefLock } from '../postgres/brief-lock.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { AS_APPLY_WORKER_LOCAL, PASS_FENCE_LOCAL } from '../postgres/fence.ts';
import { list, type Sql, sql } from '../postgres/sql.ts';
import { INSUFFICIENT_PRIVILEGE } from '../postgres/sqlstate.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import { areReferenced } from './table-ties.ts';

export interface EmptyOptions extends BriefLockOptions {
  /** Runs in the same transaction, before. */
  readonly alongside?: Sql;
}

const NOTHING = sql`SELECT`;

/**
 * By TRUNCATE, but where others refer to them: tables that were made anew when the foreign keys stood already.
 *
 * @throws {PrerequisiteError} `copy_not_permitted`, `lock_not_available`
 */
export async function emptyTables(
  connection: Connection,
  tables: readonly LinkedTable[],
  options: EmptyOptions = {},
): Promise<void> {
  if (tables.length === 0) return;
  try {
    await empty(connection, tables, options);
  } catch (error) {
    throw sqlState(error) === INSUFFICIENT_PRIVILEGE ? notPermitted(connection, tables, error) : error;
  }
}

async function empty(
  connection: Connection,
  tables: readonly LinkedTable[],
  { alongside = NOTHING, ...options }: EmptyOptions,
): Promise<void> {
  if (await areReferenced(connection, tables)) {
    await connection.transaction(async () => {
      // Or the rows that refer to them would go with them.
      await connection.script(sql`${AS_APPLY_WORKER_LOCAL}; ${alongside}`);
      for (const table of tables) await connection.script(sql`DELETE FROM ${tableAlone(table)}`);
    });
    return;
  }
  await withBriefLock(
    connection,
    sql`${PASS_FENCE_LOCAL}; ${alongside}; TRUNCATE ${list(tables.map(tableAlone))}`,
    { ...options, outwaitsVacuum: true },
  );
}

const notPermitted = (
  { address }: Connection,
  tables: readonly LinkedTable[],
  cause: unknown,
): PrerequisiteError =>
  new PrerequisiteError(
    'copy_not_permitted',
    `${tables.map(qualified).join(', ')} cannot be emptied on ${describeAddress(address)}: ${messageOf(cause)}`,
    {
      hint: `Our role there (${address.user}) must own them, and where others refer to them: GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and newer), or connect as a superuser. Then the same command again.`,
      facts: { tables: tables.map(qualified) },
      cause,
    },
  );
