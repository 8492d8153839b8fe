/** What the catalogs of both sides say about the tables to compare. */

import { DifferenceError } from '../domain/errors.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Heap, PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { type Sql, sql } from '../postgres/sql.ts';
import type { BothSides } from './both-sides.ts';
import { type ColumnType, columnForm, type FormedColumn } from './column-form.ts';

export interface KeyColumn {
  readonly name: string;
  /** With length and schema, for a cast. */
  readonly type: string;
  /** The key index's own equality operator. */
  readonly equals: TableName;
}

export interface ComparedColumn extends FormedColumn {
  readonly types: BothSides<string>;
}

export interface ComparedTable extends TableName {
  readonly isPartitioned: boolean;
  readonly columns: readonly ComparedColumn[];
  /** Of the primary key, or else a unique index without NULLs. Empty: rows are told apart by their content. */
  readonly key: readonly KeyColumn[];
  readonly heaps: BothSides<readonly Heap[]>;
}

interface ColumnRow extends ColumnType {
  readonly table: number;
  readonly name: string;
}
interface KeyRow extends KeyColumn {
  readonly table: number;
}
interface HeapRow extends Heap {
  readonly table: number;
}

/** One side's catalog, three round trips for any number of tables. */
export interface TableCatalog {
  readonly columns: readonly ColumnRow[];
  readonly keys: readonly KeyRow[];
  readonly heaps: readonly HeapRow[];
}

export async function readTableCatalog(
  connection: Connection,
  tables: readonly TableName[],
): Promise<TableCatalog> {
  const wanted = wantedTables(tables);
  return {
    columns: await connection.query<ColumnRow>(columnsSql(wanted)),
    keys: await connection.query<KeyRow>(keysSql(wanted)),
    heaps: await connection.query<HeapRow>(heapsSql(wanted)),
  };
}

/** Pairs the sides' columns by name and leaves the heaps apart: leaves of a partition tree need not be the same ones. */
export function comparedTables(
  tables: readonly PlannedTable[],
  catalogs: BothSides<TableCatalog>,
): ComparedTable[] {
  const source = byTable(catalogs.source, tables.length);
  const target = byTable(catalogs.target, tables.length);
  return tables.map((table, index) => {
    const here = source[index] ?? EMPTY;
    const there = target[index] ?? EMPTY;
    return {
      schema: table.schema,
      name: table.name,
      isPartitioned: table.isPartitioned,
      columns: table.columns.map((name) => pairedColumn(table, name, here, there)),
      key: here.keys,
      heaps: { source: here.heaps, target: there.heaps },
    };
  });
}

interface Shape {
  readonly columns: Map<string, ColumnRow>;
  readonly keys: KeyRow[];
  readonly heaps: HeapRow[];
}
const EMPTY: Shape = { columns: new Map(), keys: [], heaps: [] };

function byTable(catalog: TableCatalog, count: number): Shape[] {
  const shapes: Shape[] = Array.from({ length: count }, () => ({ columns: new Map(), keys: [], heaps: [] }));
  for (const column of catalog.columns) shapes[column.table]?.columns.set(column.name, column);
  for (const key of catalog.keys) shapes[key.table]?.keys.push(key);
  for (const heap of catalog.heaps) shapes[heap.table]?.heaps.push(heap);
  return shapes;
}

const BYTEA = 17;
const CHAR = 18;

function pairedColumn(table: TableName, name: string, source: Shape, target: Shape): ComparedColumn {
  const [here, there] = [source.columns.get(name), target.columns.get(name)];
  if (here === undefined) throw columnMissing(table, name, 'source');
  if (there === undefined) throw columnMissing(table, name, 'target');
  return {
    name,
    form: columnForm(here, there),
    isChar: here.baseOid === CHAR && there.baseOid === CHAR,
    isBytes: here.baseOid === BYTEA && there.baseOid === BYTEA,
    types: { source: here.type, target: there.type },
  };
}

const columnMissing = (table: TableName, column: string, side: string): DifferenceError =>
  new DifferenceError('column_missing', `Column "${column}" of ${qualified(table)} is not on the ${side}`, {
    hint: 'The schema changed after the sync. Make the same change on the other side, then verify again.',
    facts: { table: qualified(table), column, side },
  });

/** Which of the tables do not exist on a side. */
export function missingTables(tables: readonly PlannedTable[], catalog: TableCatalog): TableName[] {
  const found = new Set([...catalog.columns, ...catalog.heaps].map((row) => row.table));
  return tables.filter(
    (table, index) => !found.has(index) && !(table.isPartitioned && table.columns.length === 0),
  );
}

/** The relations asked for, as (n, oid, relkind). By arrays: the planner sees how many they are. */
const wantedTables = (tables: readonly TableName[]): Sql => sql`
  SELECT (w.n - 1)::int AS n, c.oid, c.relkind
  FROM unnest(${tables.map(({ schema }) => schema)}::text[], ${tables.map(({ name }) => name)}::text[])
    WITH ORDINALITY AS w(schema, name, n)
  JOIN pg_namespace s ON s.nspname = w.schema
  JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')`;

const columnsSql = (wanted: Sql): Sql => sql`
  WITH RECURSIVE wanted AS MATERIALIZED (${wanted}),
  base AS (
    SELECT oid AS type, oid AS base, typtype AS kind, false AS domain FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, base.base, base.kind, true FROM pg_type d JOIN base ON d.typbasetype = base.type WHERE d.typtype = 'd')
  SELECT w.n AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    base.base::int8 AS "baseOid", base.kind::text AS "baseKind", base.domain AS "isDomain"
  FROM wanted w
  JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN base ON base.type = a.atttypid`;

/**
 * The primary key before the replica identity before any other, the narrowest first. Not one WITHOUT OVERLAPS (18): strategy 3
 * of its index is "overlaps", and other rows than the one that is meant overlap its period.
 */
const keysSql = (wanted: Sql): Sql => sql`
  WITH wanted AS MATERIALIZED (${wanted}),
  unique_index AS (
    SELECT DISTINCT ON (w.n) w.n, i.*
    FROM wanted w JOIN pg_index i ON i.indrelid = w.oid
    WHERE i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
        SELECT FROM generate_series(0, i.indnkeyatts - 1) AS p
        JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = i.indkey[p]
        WHERE NOT a.attnotnull)
    ORDER BY w.n, i.indisprimary DESC, i.indisreplident DESC, i.indnkeyatts, i.indexrelid)
  SELECT u.n AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    json_build_object('schema', os.nspname, 'name', o.oprname) AS equals
  FROM unique_index u
  CROSS JOIN LATERAL generate_series(0, u.indnkeyatts - 1) AS p
  JOIN pg_attribute a ON a.attrelid = u.indrelid AND a.attnum = u.indkey[p]
  JOIN pg_opclass c ON c.oid = u.indclass[p]
  JOIN pg_amop e ON e.amopfamily = c.opcfamily AND e.amopstrategy = 3 AND e.amopmethod = c.opcmethod
    AND e.amoplefttype = c.opcintype AND e.amoprighttype = c.opcintype
  JOIN pg_operator o ON o.oid = e.amopopr
  JOIN pg_namespace os ON os.oid = o.oprnamespace
  ORDER BY u.n, p`;

/**
 * Sizes are read now, whatever the snapshot: the last part of a heap is open at its end. A heap that was given another file
 * since the snapshot is never called empty (blocks = 0): the file that the snapshot knows may have held rows.
 * The leaves come first, in one list: joined table by table, the catalog would be read once for each.
 */
const heapsSql = (wanted: Sql): Sql => sql`
  WITH wanted AS MATERIALIZED (${wanted}),
  leaves AS MATERIALIZED (
    SELECT w.n, w.oid AS leaf FROM wanted w WHERE w.relkind = 'r'
    UNION ALL
    SELECT w.n, t.relid FROM wanted w CROSS JOIN pg_partition_tree(w.oid) t WHERE w.relkind = 'p' AND t.isleaf)
  SELECT l.n AS table, s.nspname AS schema, h.relname AS name,
    coalesce(pg_relation_size(h.oid), 0)
      + CASE WHEN h.reltoastrelid = 0 THEN 0 ELSE coalesce(pg_relation_size(h.reltoastrelid), 0) END AS bytes,
    greatest(coalesce(pg_relation_size(h.oid), 0) / current_setting('block_size')::int,
      (h.relfilenode IS DISTINCT FROM pg_relation_filenode(h.oid))::int) AS blocks
  FROM leaves l
  JOIN pg_class h ON h.oid = l.leaf AND h.relkind = 'r' AND h.relpersistence = 'p'
  JOIN pg_namespace s ON s.oid = h.relnamespace`;
