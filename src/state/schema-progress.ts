/** The dumped schema and which of its statements have been executed on the target. */

import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/** The whole dump at once or not at all. */
export async function saveStatements<S extends { readonly n: number }>(
  target: Connection,
  migration: string,
  statements: readonly S[],
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.schema_statement (migration, n, statement)
    SELECT ${migration}, (s.statement->>'n')::int, s.statement
    FROM jsonb_array_elements(${JSON.stringify(statements)}::jsonb) AS s(statement)`);
}

export async function readStatements<S>(
  target: Connection,
  migration: string,
): Promise<{ statement: S; isDone: boolean }[]> {
  return target.query(sql`
    SELECT statement, done_at IS NOT NULL AS "isDone"
    FROM pgglide.schema_statement WHERE migration = ${migration} ORDER BY n`);
}

/** Call it inside the statements' own transaction. */
export async function markStatementsDone(
  target: Connection,
  migration: string,
  statements: readonly { readonly n: number }[],
): Promise<void> {
  const numbers = statements.map((statement) => statement.n);
  await target.execute(sql`
    UPDATE pgglide.schema_statement SET done_at = clock_timestamp()
    WHERE migration = ${migration} AND n = ANY (${numbers}::int[])`);
}

/** Whether keys, indexes or constraints stand on the target already. */
export async function hasBegunPostData(target: Connection, migration: string): Promise<boolean> {
  const { begun } = await target.one<{ begun: boolean }>(sql`
    SELECT EXISTS (
      SELECT 1 FROM pgglide.schema_statement
      WHERE migration = ${migration} AND statement->>'section' = 'post-data' AND done_at IS NOT NULL) AS begun`);
  return begun;
}
