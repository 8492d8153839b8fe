/**
 * The fence: statement-level triggers that refuse writes on the side that is not active. Unlike a setting, a
 * session cannot undo it, and it does not fire for apply workers. It is raised by CREATE or ENABLE and lifted by
 * DISABLE, because DISABLE lets readers go on (SHARE ROW EXCLUSIVE) where DROP would wait for them (ACCESS EXCLUSIVE).
 */

import type { TableName } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { ident, list, type Sql, sql } from './sql.ts';

export const FENCE_TRIGGER = 'pgglide_fence';

export interface FencedRelation extends TableName {
  readonly fence: 'absent' | 'lifted' | 'raised';
}

/** Every relation a write could name: the planned tables and all their partitions. */
export async function fenceState(
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
    )
    SELECT n.nspname AS schema, c.relname AS name,
      CASE WHEN t.oid IS NULL THEN 'absent' WHEN t.tgenabled = 'D' THEN 'lifted' ELSE 'raised' END AS fence
    FROM planned p
    JOIN pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'p')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = ${FENCE_TRIGGER}
    ORDER BY 1, 2`);
}

function raiseOne(relation: FencedRelation): Sql {
  const table = ident(relation.schema, relation.name);
  if (relation.fence === 'lifted')
    return sql`ALTER TABLE ONLY ${table} ENABLE TRIGGER ${ident(FENCE_TRIGGER)}`;
  return sql`CREATE TRIGGER ${ident(FENCE_TRIGGER)} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
    FOR EACH STATEMENT EXECUTE FUNCTION pgglide.fence()`;
}

/** Statements for all that is not raised yet; undefined when there is nothing to do. */
export function raiseFenceSql(relations: readonly FencedRelation[]): Sql | undefined {
  const open = relations.filter((relation) => relation.fence !== 'raised');
  return open.length === 0 ? undefined : list(open.map(raiseOne), '; ');
}

/** Lets writes in again. In one implicit transaction: all tables or none. */
export function liftFenceSql(relations: readonly FencedRelation[]): Sql | undefined {
  const raised = relations.filter((relation) => relation.fence === 'raised');
  if (raised.length === 0) return undefined;
  return list(
    raised.map(
      (relation) =>
        sql`ALTER TABLE ONLY ${ident(relation.schema, relation.name)} DISABLE TRIGGER ${ident(FENCE_TRIGGER)}`,
    ),
    '; ',
  );
}

/** Beyond this many tables it is their number that costs, not the first time. */
const REHEARSED_RELATIONS = 100;

/**
 * Raises and lifts a fence on a table of our own and takes it back, and loads the definitions of the tables that will
 * have theirs changed, so that this session's first real one costs no more than its second. Gives up at once where the
 * table is in use.
 */
export async function rehearseFence(
  connection: Connection,
  ownTable: TableName,
  relations: readonly FencedRelation[],
): Promise<void> {
  const table = ident(ownTable.schema, ownTable.name);
  const trigger = ident(FENCE_TRIGGER);
  const seen = relations
    .slice(0, REHEARSED_RELATIONS)
    .map(({ schema, name }) => sql`SELECT FROM ONLY ${ident(schema, name)} WHERE false`);
  try {
    await connection.script(
      sql`BEGIN; SET LOCAL lock_timeout = '10ms'; ${list(
        [
          ...seen,
          raiseOne({ ...ownTable, fence: 'absent' }),
          sql`ALTER TABLE ONLY ${table} DISABLE TRIGGER ${trigger}`,
          sql`ALTER TABLE ONLY ${table} ENABLE TRIGGER ${trigger}`,
        ],
        '; ',
      )}; ROLLBACK`,
    );
  } catch (error) {
    if (connection.lost !== undefined) throw error;
    await connection.script(sql`ROLLBACK`);
  }
}

/**
 * For `complete` and `abort`. DROP TRIGGER takes ACCESS EXCLUSIVE, on the active side too: table by table, and never waited
 * for long, because the application would wait behind us.
 *
 * @throws {PrerequisiteError} `lock_not_available`
 */
export async function dropFence(connection: Connection, tables: readonly TableName[]): Promise<void> {
  const present = (await fenceState(connection, tables)).filter((relation) => relation.fence !== 'absent');
  for (const relation of present) {
    await withBriefLock(
      connection,
      sql`DROP TRIGGER IF EXISTS ${ident(FENCE_TRIGGER)} ON ${ident(relation.schema, relation.name)}`,
    );
  }
}
