/**
 * The fence: statement-level triggers that refuse writes on the side that is not active. Unlike a setting, a session
 * cannot undo it: they fire always, also where session_replication_role says that triggers do not. Apply workers pass.
 * The triggers hang on both sides before the first switch; what raises and lifts them is one value of the side,
 * pgglide.fence_state, so that the pause runs no DDL: after DDL every session would have to build its plans anew, at the
 * moment when all held requests are let go.
 *
 * Raise it under the barrier only: a writer that was let in before must not be writing still.
 * https://www.postgresql.org/docs/current/sql-createtrigger.html
 * https://www.postgresql.org/docs/current/functions-sequence.html
 */

import { qualified, type TableName } from '../domain/names.ts';
import { type BriefLockOptions, withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { ident, literal, type Sql, sql } from './sql.ts';
import { letVacuumsYield } from './yielding-vacuum.ts';

export const FENCE_TRIGGER = 'pgglide_fence';

const LIFTED = 0;
const RAISED = 1;

/** For our own sessions that write on the side that follows, until their end; LOCAL: until their transaction's. */
export const PASS_FENCE = sql`SET pgglide.passes_fence = on`;
export const PASS_FENCE_LOCAL = sql`SET LOCAL pgglide.passes_fence = on`;
/** As an apply worker writes: past the fence, and no trigger of the user's, no foreign key fires. */
export const AS_APPLY_WORKER_LOCAL = sql`SET LOCAL session_replication_role = replica; ${PASS_FENCE_LOCAL}`;

export interface FencedRelation extends TableName {
  /** `open`: for some sessions, or all, it does not fire. */
  readonly trigger: 'absent' | 'open' | 'closed';
}

/** Every relation a write could name: the planned tables and all their partitions. */
export async function fencedRelations(
  connection: Connection,
  tables: readonly TableName[],
): Promise<FencedRelation[]> {
  return connection.query<FencedRelation>(sql`
    WITH RECURSIVE planned AS (
      SELECT c.oid FROM json_to_recordset(${JSON.stringify(tables)}::json) AS t(schema text, name text)
      JOIN pg_namespace n ON n.nspname = t.schema
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
      UNION
      SELECT i.inhrelid FROM planned p JOIN pg_inherits i ON i.inhparent = p.oid
      JOIN pg_class leaf ON leaf.oid = i.inhrelid AND leaf.relispartition
    )
    SELECT n.nspname AS schema, c.relname AS name,
      CASE WHEN t.oid IS NULL THEN 'absent' WHEN t.tgenabled = 'A' THEN 'closed' ELSE 'open' END AS trigger
    FROM planned p
    JOIN pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = ${FENCE_TRIGGER}
    ORDER BY 1, 2`);
}

/** Those on which the fence's trigger does not hang, or does not always fire. */
export async function unfencedRelations(
  connection: Connection,
  tables: readonly TableName[],
): Promise<FencedRelation[]> {
  const relations = await fencedRelations(connection, tables);
  return relations.filter(({ trigger }) => trigger !== 'closed');
}

const allFenced = (connection: Connection): Promise<TableName[]> =>
  connection.query<TableName>(sql`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgname = ${FENCE_TRIGGER} AND NOT t.tgisinternal ORDER BY 1, 2`);

/** Those on which it hangs and that are neither of these tables nor of their partitions. */
export async function fencedOutside(
  connection: Connection,
  tables: readonly TableName[],
): Promise<TableName[]> {
  const fenced = await allFenced(connection);
  if (fenced.length === 0) return [];
  const inside = new Set((await fencedRelations(connection, tables)).map(qualified));
  return fenced.filter((table) => !inside.has(qualified(table)));
}

/** SHARE ROW EXCLUSIVE on the table: readers go on. The condition fails closed: a value that was never set is not 0. */
export function hangFenceSql(relation: FencedRelation): Sql {
  const table = ident(relation.schema, relation.name);
  const close = sql`ALTER TABLE ONLY ${table} ENABLE ALWAYS TRIGGER ${ident(FENCE_TRIGGER)}`;
  if (relation.trigger === 'open') return close;
  return sql`CREATE TRIGGER ${ident(FENCE_TRIGGER)} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
    FOR EACH STATEMENT WHEN (pg_catalog.pg_sequence_last_value('pgglide.fence_state'::pg_catalog.regclass) IS DISTINCT FROM ${literal(String(LIFTED))}::bigint)
    EXECUTE FUNCTION pgglide.fence(); ${close}`;
}

/**
 * Table by table, so that on the active side nobody waits for more than one.
 * @throws {PrerequisiteError} `lock_not_available`
 */
export async function hangFence(
  connection: Connection,
  relations: readonly FencedRelation[],
  options?: BriefLockOptions,
): Promise<void> {
  for (const relation of relations) await withBriefLock(connection, hangFenceSql(relation), options);
}

export async function isFenceRaised(connection: Connection): Promise<boolean> {
  const { raised } = await connection.one<{ raised: boolean }>(sql`
    SELECT pg_sequence_last_value('pgglide.fence_state') IS DISTINCT FROM ${LIFTED}::bigint AS raised`);
  return raised;
}

/** Tables whose writes it refuses: NULL, of a state that was never set or may not be read, counts as raised. */
export async function countRaisedFences(connection: Connection): Promise<number> {
  const { count } = await connection.one<{ count: number }>(sql`
    SELECT count(*) FROM pg_trigger
    WHERE tgname = ${FENCE_TRIGGER} AND NOT tgisinternal AND NOT EXISTS (
      SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'pgglide' AND c.relname = 'fence_state' AND pg_sequence_last_value(c.oid) = 0)`);
  return count;
}

/** Holds for every transaction from this moment, and is durable once its own transaction has committed; ROLLBACK does not take it back. */
export const raiseFenceSql = (): Sql => setState(RAISED);

/** Lets writes in again, on all tables at once. */
export const liftFenceSql = (): Sql => setState(LIFTED);

const setState = (state: number): Sql =>
  sql`SELECT pg_catalog.setval('pgglide.fence_state', ${literal(String(state))}::bigint)`;

/** Sets it to what it is, so that this session's first real time costs no more than its second. */
export async function rehearseFence(connection: Connection): Promise<void> {
  await connection.script((await isFenceRaised(connection)) ? raiseFenceSql() : liftFenceSql());
}

/**
 * DROP TRIGGER takes ACCESS EXCLUSIVE, on the active side too: table by table, and never waited for long, because the
 * application would wait behind us.
 *
 * @throws {PrerequisiteError} `lock_not_available`
 */
export async function dropFence(connection: Connection, tables: readonly TableName[]): Promise<void> {
  const present = (await fencedRelations(connection, tables)).filter(({ trigger }) => trigger !== 'absent');
  await dropTriggers(connection, present);
}

/**
 * For `complete` and `abort`: of every table that has it, also one that was renamed since, or is no partition any more.
 * @throws {PrerequisiteError} `lock_not_available`
 */
export async function dropAllFences(connection: Connection): Promise<void> {
  await dropTriggers(connection, await allFenced(connection));
}

async function dropTriggers(connection: Connection, relations: readonly TableName[]): Promise<void> {
  await letVacuumsYield(connection, relations);
  for (const { schema, name } of relations)
    await withBriefLock(
      connection,
      sql`DROP TRIGGER IF EXISTS ${ident(FENCE_TRIGGER)} ON ${ident(schema, name)}`,
    );
}
