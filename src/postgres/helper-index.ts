/**
 * Indexes that let an apply worker find the rows of REPLICA IDENTITY FULL tables. Without one every UPDATE and DELETE
 * reads the whole table. Before 16 a subscriber uses a primary key or identity index only, so none of ours would help.
 * https://www.postgresql.org/docs/current/logical-replication-publication.html
 */

import { OWN_SCHEMA, type TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Connection } from './connection.ts';
import { ident, list, type Sql, sql } from './sql.ts';

/** Also what keeps them out of the schema's fingerprint and dump. */
const HELPER_PREFIX = `${OWN_SCHEMA}_helper_`;

export interface HelperIndex {
  /** The table, or the leaf of a partition tree. */
  readonly table: TableName;
  readonly name: string;
  /** Most telling first; empty where no column fits into an index for sure. */
  readonly columns: readonly string[];
}

/**
 * For every heap of a FULL table on which this subscriber would search row by row, the index that would help. Columns
 * of fixed or small maximum width only: a value too wide for the index would stop the apply worker.
 */
export async function missingHelperIndexes(
  subscriber: Connection,
  tables: readonly PlannedTable[],
): Promise<HelperIndex[]> {
  const full = tables.filter((table) => table.replicaIdentity === 'full');
  if (full.length === 0) return [];
  const names = full.map(({ schema, name }) => ({ schema, name }));
  const rows = await subscriber.query<TableName & { oid: number; columns: string[] }>(sql`
    WITH RECURSIVE tree AS (
      SELECT c.oid FROM json_to_recordset(${JSON.stringify(names)}::json) AS t(schema text, name text)
      JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
      UNION
      SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      JOIN pg_class leaf ON leaf.oid = i.inhrelid AND leaf.relispartition
    )
    SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, ${columnsOf(sql`c`)} AS columns
    FROM tree JOIN pg_class c ON c.oid = tree.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE current_setting('server_version_num')::int >= 160000
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND ${findsRows(sql`i`)})
    ORDER BY 2, 3`);
  return rows.map(({ oid, schema, name, columns }) => ({
    table: { schema, name },
    name: `${HELPER_PREFIX}${oid}`,
    columns,
  }));
}

/** What the apply worker of 16 and later takes: a whole btree index that begins with a plain column. */
const findsRows = (index: Sql): Sql => sql`
  ${index}.indisvalid AND ${index}.indpred IS NULL AND ${index}.indkey[0] <> 0
  AND EXISTS (SELECT FROM pg_class x JOIN pg_am am ON am.oid = x.relam
    WHERE x.oid = ${index}.indexrelid AND am.amname = 'btree')`;

const MOST_COLUMNS = 3;
/** varchar(n): four bytes a character, three columns and one of them twice, well under a btree's 2,704 bytes. */
const WIDEST_VARCHAR = 150;

const columnsOf = (relation: Sql): Sql => sql`ARRAY(
  SELECT a.attname::text
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = ${relation}.relname AND s.attname = a.attname
    AND NOT s.inherited
  WHERE a.attrelid = ${relation}.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND (t.typlen > 0 OR (t.typname IN ('varchar', 'bpchar') AND a.atttypmod BETWEEN 4 AND 4 + ${WIDEST_VARCHAR}::int))
    AND (t.typtype = 'e' OR EXISTS (
      SELECT FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod AND am.amname = 'btree'
      WHERE o.opcdefault AND o.opcintype = CASE t.typname WHEN 'varchar' THEN 'text'::regtype
        ELSE coalesce(nullif(t.typbasetype, 0), t.oid) END))
  ORDER BY CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * ${relation}.reltuples ELSE s.n_distinct END DESC NULLS LAST,
    t.typlen DESC, a.attnum
  LIMIT ${MOST_COLUMNS}::int)`;

/**
 * CONCURRENTLY where others use the table; it may not stand in a transaction block. INCLUDE makes it unlike any index of the user's:
 * CREATE INDEX on a partitioned table takes what it finds on a leaf for its own part there, which could not be dropped any more.
 */
export const createHelperIndexSql = (index: HelperIndex, how: 'plain' | 'concurrently'): Sql => {
  const columns = index.columns.map((column) => ident(column));
  const create = how === 'plain' ? sql`CREATE INDEX` : sql`CREATE INDEX CONCURRENTLY`;
  return sql`${create} ${ident(index.name)} ON ${ident(index.table.schema, index.table.name)} (${list(columns)}) INCLUDE (${list(columns.slice(0, 1))})`;
};

/** Also one that a cut-off CREATE INDEX CONCURRENTLY left invalid. */
export const dropHelperIndexSql = (index: TableName): Sql =>
  sql`DROP INDEX CONCURRENTLY IF EXISTS ${ident(index.schema, index.name)}`;

/** Those of this database, valid or not. */
export async function existingHelperIndexes(connection: Connection): Promise<TableName[]> {
  return connection.query<TableName>(sql`
    SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND starts_with(c.relname, ${HELPER_PREFIX}) ORDER BY 1, 2`);
}

/** For `complete` and `abort`. Writers and readers go on. */
export async function dropHelperIndexes(connection: Connection): Promise<void> {
  for (const index of await existingHelperIndexes(connection))
    await connection.script(dropHelperIndexSql(index));
}
