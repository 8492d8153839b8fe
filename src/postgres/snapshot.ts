/** An exported snapshot held open. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Begins a transaction on `connection` that keeps the snapshot alive until it ends. Returns its name for SET TRANSACTION SNAPSHOT. */
export async function exportSnapshot(connection: Connection): Promise<string> {
  await beginSnapshot(connection);
  return await takeSnapshot(connection);
}

/** The transaction alone: it has no snapshot before its first query, and holds nothing back. */
export const beginSnapshot = (connection: Connection): Promise<void> =>
  connection.script(sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);

/** In the transaction of beginSnapshot(), as its first query. */
export async function takeSnapshot(connection: Connection): Promise<string> {
  const { name } = await connection.one<{ name: string }>(sql`SELECT pg_export_snapshot() AS name`);
  return name;
}

export const releaseSnapshot = (connection: Connection): Promise<void> => connection.script(sql`ROLLBACK`);
