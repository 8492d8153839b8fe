/** The dumped schema and which of its statements have been executed on the target. */

import { slices } from '../base/slices.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { tableExists } from './install.ts';

/** So many travel at once: the dump of thousands of tables is tens of megabytes. */
const SLICE = 1_000;

/** The whole dump or nothing of it. In a transaction of the caller's where there is one. */
export async function saveStatements<S extends { readonly n: number }>(
  target: Connection,
  migration: string,
  statements: readonly S[],
): Promise<void> {
  for (const some of slices(statements, SLICE))
    await target.execute(sql`
      INSERT INTO pgglide.schema_statement (migration, n, statement)
      SELECT ${migration}, (s.statement->>'n')::int, s.statement
      FROM jsonb_array_elements(${JSON.stringify(some)}::jsonb) AS s(statement)`);
}

/** Done or not, in the dump's order. */
export async function readStatements<S>(target: Connection, migration: string): Promise<S[]> {
  const rows = await target.query<{ statement: S }>(sql`
    SELECT statement FROM pgglide.schema_statement WHERE migration = ${migration} ORDER BY n`);
  return rows.map(({ statement }) => statement);
}

interface DumpedObject {
  readonly kind: string;
  readonly schema?: string;
  readonly name: string;
}

/** What this migration has brought to the target, as a dump names it; tables that were made by hand and then copied, too. */
export async function broughtObjects<Noted extends object>(
  target: Connection,
  migration: string,
): Promise<{ readonly dumped: readonly DumpedObject[]; readonly noted: readonly Noted[] }> {
  const rows = await target.query<{ kind: string; schema: string | null; name: string }>(sql`
    SELECT statement->>'kind' AS kind, statement->>'schema' AS schema, statement->>'name' AS name
    FROM pgglide.schema_statement WHERE migration = ${migration} AND done_at IS NOT NULL
    UNION SELECT 'TABLE', schema_name, table_name FROM pgglide.copy_table WHERE migration = ${migration}`);
  const dumped = rows.map(({ schema, ...rest }) => (schema === null ? rest : { ...rest, schema }));
  return { dumped, noted: await notedObjects<Noted>(target, migration) };
}

async function notedObjects<Noted extends object>(target: Connection, migration: string): Promise<Noted[]> {
  // Of a migration that an older version has begun.
  if (!(await tableExists(target, 'brought_object'))) return [];
  return target.query(
    sql`SELECT id, kind, schema, name FROM pgglide.brought_object WHERE migration = ${migration}`,
  );
}

/** As they are called now; what was noted before stays so. */
export async function noteBrought(
  target: Connection,
  migration: string,
  objects: readonly { id: string; kind: string; schema: string | null; name: string }[],
): Promise<void> {
  const rows = objects.map(({ id, kind, schema, name }) => ({ id, kind, schema, name }));
  await target.execute(sql`
    INSERT INTO pgglide.brought_object (migration, id, kind, schema, name)
    SELECT ${migration}, o.id, o.kind, o.schema, o.name
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS o(id text, kind text, schema text, name text)
    ON CONFLICT DO NOTHING`);
}

export interface StatementCounts {
  /** 0: nothing has been dumped yet. */
  readonly all: number;
  readonly openPreData: number;
  readonly postData: number;
  readonly donePostData: number;
}

export async function countStatements(target: Connection, migration: string): Promise<StatementCounts> {
  return target.one(sql`
    SELECT count(*) AS all,
      count(*) FILTER (WHERE statement->>'section' = 'pre-data' AND done_at IS NULL) AS "openPreData",
      count(*) FILTER (WHERE statement->>'section' = 'post-data') AS "postData",
      count(done_at) FILTER (WHERE statement->>'section' = 'post-data') AS "donePostData"
    FROM pgglide.schema_statement WHERE migration = ${migration}`);
}

/** Those that have not been executed, in the dump's order. */
export async function readOpenStatements<S extends { readonly section: string }>(
  target: Connection,
  migration: string,
  section: S['section'],
): Promise<S[]> {
  const rows = await target.query<{ statement: S }>(sql`
    SELECT statement FROM pgglide.schema_statement
    WHERE migration = ${migration} AND done_at IS NULL AND statement->>'section' = ${section} ORDER BY n`);
  return rows.map(({ statement }) => statement);
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

/** When the last of them was completed, in ISO 8601, which no DateStyle reads otherwise; undefined while none is. */
export async function lastPostDataAt(target: Connection, migration: string): Promise<string | undefined> {
  const { at } = await target.one<{ at: string | null }>(sql`
    SELECT to_json(max(done_at)) #>> '{}' AS at FROM pgglide.schema_statement
    WHERE migration = ${migration} AND statement->>'section' = 'post-data'`);
  return at ?? undefined;
}
