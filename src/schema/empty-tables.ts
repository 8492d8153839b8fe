/** Takes all rows out of tables of the side that nobody but us writes on. */

import type { LinkedTable } from '../domain/plan.ts';
import { type BriefLockOptions, withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { AS_APPLY_WORKER_LOCAL, PASS_FENCE_LOCAL } from '../postgres/fence.ts';
import { list, type Sql, sql } from '../postgres/sql.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import { areReferenced } from './table-ties.ts';

export interface EmptyOptions extends BriefLockOptions {
  /** Runs in the same transaction, before. */
  readonly alongside?: Sql;
}

const NOTHING = sql`SELECT`;

/** By TRUNCATE, but where others refer to them: tables that were made anew when the foreign keys stood already. */
export async function emptyTables(
  connection: Connection,
  tables: readonly LinkedTable[],
  { alongside = NOTHING, ...options }: EmptyOptions = {},
): Promise<void> {
  if (tables.length === 0) return;
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
    options,
  );
}
