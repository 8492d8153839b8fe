/** Which tables have been copied, in which lane. A table is copied when all its parts are. */

import type { Renaming } from '../domain/follow-tables.ts';
import type { TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { literal, type Sql, sql } from '../postgres/sql.ts';

export interface TableCopyState extends TableName {
  readonly lane: number;
  readonly parts: number;
  readonly partsDone: number;
  readonly rowCount: number;
  readonly bytes: number;
}

export const isCopied = (table: TableCopyState): boolean => table.partsDone === table.parts;

export async function readCopyProgress(target: Connection, migration: string): Promise<TableCopyState[]> {
  return target.query<TableCopyState>(sql`
    SELECT t.schema_name AS schema, t.table_name AS name, t.lane, t.parts, count(p.part) AS "partsDone",
      coalesce(sum(p.row_count), 0)::bigint AS "rowCount", coalesce(sum(p.bytes), 0)::bigint AS bytes
    FROM pgglide.copy_table t LEFT JOIN pgglide.copied_part p USING (migration, schema_name, table_name)
    WHERE t.migration = ${migration}
    GROUP BY t.schema_name, t.table_name, t.lane, t.parts`);
}

/** Forgets schema, plan and rows that were brought over: in one transaction, so that the next look finds all or nothing. */
export async function forgetCopy(target: Connection, migration: string): Promise<void> {
  await target.transaction(async () => {
    await target.execute(sql`DELETE FROM pgglide.schema_statement WHERE migration = ${migration}`);
    await target.execute(sql`DELETE FROM pgglide.brought_object WHERE migration = ${migration}`);
    await target.execute(sql`DELETE FROM pgglide.copy_table WHERE migration = ${migration}`);
    await target.execute(sql`DELETE FROM pgglide.schema_record WHERE migration = ${migration}`);
    await target.execute(sql`DELETE FROM pgglide.schema_class WHERE migration = ${migration}`);
    await target.execute(sql`UPDATE pgglide.migration SET plan = NULL WHERE name = ${migration}`);
  });
}

/** To go with what empties the tables: in one transaction, so that none is empty and noted as copied. */
export const forgetTablesSql = (migration: string, tables: readonly TableName[]): Sql => sql`
  DELETE FROM pgglide.copy_table t USING json_to_recordset(${literal(JSON.stringify(tables.map(nameOf)))}::json) AS n(schema text, name text)
  WHERE t.migration = ${literal(migration)} AND t.schema_name = n.schema AND t.table_name = n.name`;

/** What no plan knows any more has no copy that could be stale: dropped on both sides, or left out of the scope. */
export async function forgetUnplanned(
  target: Connection,
  migration: string,
  planned: readonly TableName[],
): Promise<void> {
  await target.execute(sql`
    DELETE FROM pgglide.copy_table t WHERE t.migration = ${migration} AND NOT EXISTS (
      SELECT FROM json_to_recordset(${JSON.stringify(planned.map(nameOf))}::json) AS n(schema text, name text)
      WHERE n.schema = t.schema_name AND n.name = t.table_name)`);
}

const nameOf = ({ schema, name }: TableName): TableName => ({ schema, name });

/** Notes the parts of tables of which nothing is noted yet, before their lanes copy. */
export async function beginCopy(
  target: Connection,
  migration: string,
  tables: readonly (TableName & { readonly lane: number; readonly parts: number })[],
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.copy_table (migration, schema_name, table_name, lane, parts)
    SELECT ${migration}, n.schema, n.name, n.lane, n.parts
    FROM json_to_recordset(${JSON.stringify(tables)}::json) AS n(schema text, name text, lane int, parts int)`);
}

/** Tables that are on both sides already. In a transaction of the caller's. */
export async function noteCopied(
  target: Connection,
  migration: string,
  tables: readonly (TableName & { readonly lane: number })[],
): Promise<void> {
  await target.script(forgetTablesSql(migration, tables));
  await beginCopy(
    target,
    migration,
    tables.map((table) => ({ ...nameOf(table), lane: table.lane, parts: 1 })),
  );
  await recordParts(
    target,
    migration,
    tables.map((table) => ({ table, part: JOINED_PART, rowCount: 0, bytes: 0 })),
  );
}

/** Not copied by us, so that nothing is counted. */
const JOINED_PART = 'joined';

export interface CopiedPart {
  readonly table: TableName;
  /** Unique within the table. */
  readonly part: string;
  readonly rowCount: number;
  readonly bytes: number;
}

/** Call it inside the transaction that copied the parts. */
export async function recordParts(
  target: Connection,
  migration: string,
  parts: readonly CopiedPart[],
): Promise<void> {
  const rows = parts.map(({ table, part, rowCount, bytes }) => ({
    s: table.schema,
    t: table.name,
    p: part,
    r: rowCount,
    b: bytes,
  }));
  await target.execute(sql`
    INSERT INTO pgglide.copied_part (migration, schema_name, table_name, part, row_count, bytes)
    SELECT ${migration}, n.s, n.t, n.p, n.r, n.b
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS n(s text, t text, p text, r bigint, b bigint)`);
}

/** Taken out and put in again: two tables may have changed names with each other. In a transaction of the caller's. */
export async function renameTables(
  target: Connection,
  migration: string,
  renamed: readonly Renaming[],
): Promise<void> {
  const names = sql`json_to_recordset(${JSON.stringify(renamed)}::json) AS r("from" json, "to" json)`;
  const isRenamed = sql`t.migration = ${migration} AND t.schema_name = r."from"->>'schema' AND t.table_name = r."from"->>'name'`;
  const noted = await target.one<{ tables: unknown; parts: unknown }>(sql`
    SELECT
      (SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object('schema_name', r."to"->>'schema', 'table_name', r."to"->>'name')), '[]')
        FROM pgglide.copy_table t JOIN ${names} ON ${isRenamed}) AS tables,
      (SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object('schema_name', r."to"->>'schema', 'table_name', r."to"->>'name')), '[]')
        FROM pgglide.copied_part t JOIN ${names} ON ${isRenamed}) AS parts`);
  await target.script(
    forgetTablesSql(
      migration,
      renamed.map(({ from }) => from),
    ),
  );
  await target.execute(sql`
    INSERT INTO pgglide.copy_table
    SELECT * FROM json_populate_recordset(NULL::pgglide.copy_table, ${JSON.stringify(noted.tables)}::json)`);
  await target.execute(sql`
    INSERT INTO pgglide.copied_part
    SELECT * FROM json_populate_recordset(NULL::pgglide.copied_part, ${JSON.stringify(noted.parts)}::json)`);
}
