/** Reads from the source's catalogs what a migration moves. */

import { grouped } from '../base/grouped.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Heap, Plan, PlannedTable } from '../domain/plan.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { belongsToExtension, excludedRelations, schemaInScope } from '../postgres/scope.ts';
import { type Sql, sql } from '../postgres/sql.ts';
import { readNotCarried } from './not-carried.ts';
import { readTies } from './table-ties.ts';

/**
 * Tables (ordinary ones, partition roots and inheritance children; never a leaf), sequences, and what stays behind.
 * Reads only; takes no lock but ACCESS SHARE on catalogs.
 *
 * @see https://www.postgresql.org/docs/current/logical-replication-restrictions.html
 */
export async function planTables(connection: Connection, scope: Scope = {}): Promise<Plan> {
  const tables = await connection.query<TableRow>(tablesSql(scope));
  const heaps = await connection.query<HeapRow>(heapsSql(scope));
  const ties = await readTies(connection, scope);
  const sequences = await connection.query<TableName>(sequencesSql(scope));
  const heapsByRoot = grouped(heaps, ({ root }) => root);
  return {
    tables: tables.map((row) => ({
      ...plannedTable(row, heapsByRoot.get(row.oid) ?? []),
      ...(ties.has(row.oid) ? { tiedTo: ties.get(row.oid) ?? [] } : {}),
    })),
    sequences: sequences.map(({ schema, name }) => ({ schema, name })),
    notCarried: await readNotCarried(connection, scope),
  };
}

/** Tables and partitions whose UPDATE and DELETE could not be replicated. */
export async function withoutIdentity(connection: Connection, scope: Scope): Promise<TableName[]> {
  const tables = await connection.query<TableRow>(tablesSql(scope));
  const heaps = await connection.query<HeapRow>(heapsSql(scope));
  const found = [...tables, ...heaps].filter(({ identity }) => identity === 'none');
  return [
    ...new Map(found.map(({ schema, name }) => [qualified({ schema, name }), { schema, name }])).values(),
  ];
}

/** Names of the tables that a migration of this scope moves. */
export const carriedTables = (connection: Connection, scope: Scope): Promise<TableName[]> =>
  connection.query<TableName>(sql`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${carriedRoots(scope)}`);

/** Changes when one of them is made, dropped or renamed, or gets another number of columns. One statement, quick for thousands. */
export async function carriedTablesSign(connection: Connection, scope: Scope): Promise<string> {
  const { sign } = await connection.one<{ sign: string }>(sql`
    SELECT coalesce(md5(string_agg(format('%s %I.%I %s', c.oid, n.nspname, c.relname, c.relnatts), ',' ORDER BY c.oid)), '') AS sign
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${carriedRoots(scope)}`);
  return sign;
}

type ReplicaIdentity = PlannedTable['replicaIdentity'];

interface TableRow extends TableName {
  readonly oid: number;
  readonly isPartitioned: boolean;
  readonly columns: string[];
  readonly identity: ReplicaIdentity;
}

interface HeapRow extends Heap {
  readonly root: number;
  readonly rows: number;
  readonly writes: number;
  readonly identity: ReplicaIdentity;
}

function plannedTable(row: TableRow, heaps: readonly HeapRow[]): PlannedTable {
  return {
    schema: row.schema,
    name: row.name,
    isPartitioned: row.isPartitioned,
    columns: row.columns,
    heaps: heaps.map(({ schema, name, bytes, blocks }) => ({ schema, name, bytes, blocks })),
    rowEstimate: heaps.reduce((sum, heap) => sum + heap.rows, 0),
    writeCount: heaps.reduce((sum, heap) => sum + heap.writes, 0),
    replicaIdentity: weakest([row.identity, ...heaps.map((heap) => heap.identity)]),
  };
}

/** The server checks the leaf before it lets an UPDATE through, and describes rows by the root: a tree is as good as its worst member. */
function weakest(identities: readonly ReplicaIdentity[]): ReplicaIdentity {
  const order: readonly ReplicaIdentity[] = ['none', 'full', 'index', 'default'];
  return order.find((identity) => identities.includes(identity)) ?? 'none';
}

const holdsGeneratedColumn = sql`EXISTS (
  SELECT FROM pg_attribute a
  WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND a.attgenerated <> '')`;

/**
 * A deferrable or invalid index, or a dropped one, identifies no row: UPDATE fails as soon as the table is published.
 * One over a generated column does not on the subscriber, which with FULL looks at the primary key, too.
 */
const identityOf = (relation: Sql): Sql => sql`
  CASE ${relation}.relreplident
    WHEN 'f' THEN CASE WHEN EXISTS (
      SELECT FROM pg_index i WHERE i.indrelid = ${relation}.oid AND i.indisprimary AND ${holdsGeneratedColumn})
      THEN 'none' ELSE 'full' END
    WHEN 'd' THEN CASE WHEN EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = ${relation}.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate
        AND NOT ${holdsGeneratedColumn})
      THEN 'default' ELSE 'none' END
    WHEN 'i' THEN CASE WHEN EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = ${relation}.oid AND i.indisreplident AND i.indisvalid AND i.indimmediate
        AND NOT ${holdsGeneratedColumn})
      THEN 'index' ELSE 'none' END
    ELSE 'none'
  END`;

const carriedRoots = (scope: Scope): Sql => sql`
  c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND ${schemaInScope(scope)}
  AND c.oid NOT IN (${excludedRelations(scope)})
  AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)}`;

const tablesSql = (scope: Scope): Sql => sql`
  SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS "isPartitioned",
    ARRAY(
      SELECT a.attname::text FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      ORDER BY a.attnum) AS columns,
    ${identityOf(sql`c`)} AS identity
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${carriedRoots(scope)}
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/** Rows per block as last counted; a table never counted is taken for 80 rows a block (about 100 bytes a row). */
const heapsSql = (scope: Scope): Sql => sql`
  SELECT heaps.*,
    (CASE WHEN "knownRows" >= 0 AND "knownBlocks" > 0 THEN "knownRows" / "knownBlocks" * blocks
      ELSE 80 * blocks END)::int8 AS rows
  FROM (
    SELECT c.oid::int8 AS root, ln.nspname AS schema, leaf.relname AS name,
      coalesce(pg_relation_size(leaf.oid), 0)
        + CASE WHEN leaf.reltoastrelid = 0 THEN 0 ELSE coalesce(pg_relation_size(leaf.reltoastrelid), 0) END AS bytes,
      coalesce(pg_relation_size(leaf.oid), 0) / current_setting('block_size')::int AS blocks,
      (pg_stat_get_tuples_inserted(leaf.oid) + pg_stat_get_tuples_updated(leaf.oid)
        + pg_stat_get_tuples_deleted(leaf.oid))::int8 AS writes,
      leaf.reltuples AS "knownRows", leaf.relpages AS "knownBlocks",
      ${identityOf(sql`leaf`)} AS identity
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
      SELECT c.oid AS leaf WHERE c.relkind = 'r'
      UNION ALL
      SELECT t.relid FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND t.isleaf) AS tree
    JOIN pg_class leaf ON leaf.oid = tree.leaf AND leaf.relkind = 'r' AND leaf.relpersistence = 'p'
    JOIN pg_namespace ln ON ln.oid = leaf.relnamespace
    WHERE ${carriedRoots(scope)} AND leaf.oid NOT IN (${excludedRelations(scope)})
    ORDER BY ln.nspname COLLATE "C", leaf.relname COLLATE "C") AS heaps`;

/** Those of an extension that says that their values are the user's, and those that number the user's rows in its tables. */
const sequencesOfConfiguration = sql`
  SELECT unnest(extconfig) FROM pg_extension
  UNION ALL
  SELECT d.objid FROM pg_extension x JOIN pg_depend d ON d.refobjid = ANY (x.extconfig)
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')`;

const sequencesSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${schemaInScope(scope)}
    AND c.oid NOT IN (${excludedRelations(scope)})
    AND (NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)} OR c.oid IN (${sequencesOfConfiguration}))
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;
