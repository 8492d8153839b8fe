/** Takes all rows out of tables of the side that nobody but us writes on. */

import type { LinkedTable } from '../domain/plan.ts';
import { type BriefLockOptions, withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { list, type Sql, sql } from '../postgres/sql.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import { areReferenced } from './table-ties.ts';

export interface EmptyOptions extends BriefLockOptions {
  /** Runs in the same transaction, before. */
  readonly alongside?: Sql;
  /** Our own fence hangs on them: it is passed as the apply worker passes it. */
  readonly isFenced?: boolean;
}

const AS_REPLICA = sql`SET LOCAL session_replication_role = replica`;
const NOTHING = sql`SELECT`;

/** By TRUNCATE, but where others refer to them: tables that were made anew when the foreign keys stood already. */
export async function emptyTables(
  connection: Connection,
  tables: readonly LinkedTable[],
  { alongside = NOTHING, isFenced = false, ...options }: EmptyOptions = {},
): Promise<void> {
  if (tables.length === 0) return;
  if (await areReferenced(connection, tables)) {
    await connection.transaction(async () => {
      // Or the rows that refer to them would go with them.
      await connection.script(sql`${AS_REPLICA}; ${alongside}`);
      for (const table of tables) await connection.script(sql`DELETE FROM ${tableAlone(table)}`);
    });
    return;
  }
  await withBriefLock(
    connection,
    sql`${isFenced ? AS_REPLICA : NOTHING}; ${alongside}; TRUNCATE ${list(tables.map(tableAlone))}`,
    options,
  );
}
