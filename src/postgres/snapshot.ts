/** An exported snapshot held open. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Begins a transaction on `connection` that keeps the snapshot alive until it ends. Returns its name for SET TRANSACTION SNAPSHOT. */
export async function exportSnapshot(connection: Connection): Promise<string> {
  await connection.script(sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);
  const { name } = await connection.one<{ name: string }>(sql`SELECT pg_export_snapshot() AS name`);
  return name;
}

export const releaseSnapshot = (connection: Connection): Promise<void> => connection.script(sql`ROLLBACK`);
