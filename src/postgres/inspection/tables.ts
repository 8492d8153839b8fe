/** Tables in scope with what decides whether their rows can be replicated. Catalogs only: waits for no table lock. */

import { grouped } from '../../base/grouped.ts';
import type { TableName } from '../../domain/names.ts';
import type { IndexFact, TableFact } from '../../domain/preflight/facts.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../connection.ts';
import { relationInScope } from '../scope.ts';
import { type Sql, sql } from '../sql.ts';
import { mayActAs } from './own-role.ts';

type TableRow = Omit<TableFact, 'indexes' | 'incomparableColumns' | 'root' | 'tablespace'> & {
  readonly oid: number;
  readonly rootSchema: string | null;
  readonly rootName: string | null;
  readonly tablespace: string | null;
};
type IndexRow = IndexFact & { readonly table: number };
interface ColumnRow {
  readonly table: number;
  readonly name: string;
}

export async function readTables(connection: Connection, scope: Scope): Promise<TableFact[]> {
  const tables = await connection.query<TableRow>(tablesSql(scope));
  const ofTable = ({ table }: { readonly table: number }) => table;
  const indexes = grouped(await connection.query<IndexRow>(indexesSql(scope)), ofTable);
  const columns = grouped(await connection.query<ColumnRow>(incomparableSql(scope)), ofTable);
  return tables.map(({ oid, rootSchema, rootName, tablespace, ...table }) => ({
    ...table,
    root: rootOf(rootSchema, rootName),
    tablespace: tablespace ?? undefined,
    indexes: (indexes.get(oid) ?? []).map(({ table: _, ...index }) => index),
    incomparableColumns: (columns.get(oid) ?? []).map((column) => column.name),
  }));
}

const rootOf = (schema: string | null, name: string | null): TableName | undefined =>
  schema === null || name === null ? undefined : { schema, name };

const tableInScope = (scope: Scope): Sql =>
  sql`c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${relationInScope(scope)}`;

const tablesSql = (scope: Scope): Sql => sql`
  SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name,
    c.relkind = 'p' AS "isPartitioned", rn.nspname AS "rootSchema", root.relname AS "rootName",
    c.relkind = 'r' AND NOT c.relispartition AND (EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid)
      OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)) AS "isInInheritanceTree",
    c.reloftype <> 0 AS "isTyped",
    c.relpersistence = 'u' AS "isUnlogged",
    CASE c.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'default' END
      AS "replicaIdentity",
    owner.rolname AS owner, ${mayActAs(sql`c.relowner`)} AS "mayActAsOwner",
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS "isReadable",
    c.relrowsecurity AS "hasRowSecurity", c.relforcerowsecurity AS "forcesRowSecurity",
    greatest(c.reltuples, 0)::float8 AS "estimatedRows",
    c.relpages::int8 * current_setting('block_size')::int8 AS "estimatedBytes",
    CASE WHEN c.relkind = 'r' THEN age(c.relfrozenxid) ELSE 0 END AS "freezeAge",
    t.spcname AS tablespace
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles owner ON owner.oid = c.relowner
  LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
  LEFT JOIN pg_class root ON c.relispartition AND root.oid = pg_partition_root(c.oid)
  LEFT JOIN pg_namespace rn ON rn.oid = root.relnamespace
  WHERE ${tableInScope(scope)}
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

const indexesSql = (scope: Scope): Sql => sql`
  SELECT i.indrelid::int8 AS table, xn.nspname AS schema, x.relname AS name,
    i.indisprimary AS "isPrimary", i.indisunique AS "isUnique", i.indimmediate AS "isImmediate",
    i.indisvalid AND i.indisready AND i.indislive AS "isValid", i.indisreplident AS "isReplicaIdentity",
    i.indpred IS NOT NULL AS "isPartial", i.indexprs IS NOT NULL AS "hasExpressions",
    keys.not_null AS "columnsNotNull", am.amname = 'btree' AS "isBtree", i.indkey[0] <> 0 AS "leadsWithColumn",
    keys.columns AS columns, keys.generated AS "hasGeneratedColumn"
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace xn ON xn.oid = x.relnamespace
  JOIN pg_am am ON am.oid = x.relam
  CROSS JOIN LATERAL (
    SELECT coalesce(bool_and(a.attnotnull), false) AS not_null,
      coalesce(bool_or(a.attgenerated <> ''), false) AS generated,
      coalesce(array_agg(a.attname::text ORDER BY k.n), '{}') AS columns
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.n <= i.indnkeyatts) AS keys
  WHERE ${tableInScope(scope)}`;

/**
 * Types that the apply worker cannot compare: no default btree or hash operator class of their own or of
 * what they are (domain, array, composite), as lookup_type_cache() would search for it.
 */
const incomparableSql = (scope: Scope): Sql => sql`
  WITH RECURSIVE
  columns AS MATERIALIZED (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND ${tableInScope(scope)}),
  parts(outermost, part) AS (
    SELECT DISTINCT atttypid, atttypid FROM columns
    UNION
    SELECT p.outermost, inner_type.oid
    FROM parts p JOIN pg_type t ON t.oid = p.part
    CROSS JOIN LATERAL (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1 AND t.typtype = 'b'
      UNION ALL SELECT f.atttypid FROM pg_attribute f
        WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
    ) AS inner_type(oid)),
  incomparable AS (
    SELECT DISTINCT p.outermost
    FROM parts p JOIN pg_type t ON t.oid = p.part
    WHERE t.typtype = 'b' AND NOT (t.typelem <> 0 AND t.typlen = -1)
      AND NOT EXISTS (
        SELECT FROM pg_opclass o JOIN pg_am am ON am.oid = o.opcmethod
        WHERE o.opcdefault AND am.amname IN ('btree', 'hash') AND (o.opcintype = t.oid OR EXISTS (
          SELECT FROM pg_cast k
          WHERE k.castsource = t.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))))
  SELECT columns.attrelid::int8 AS table, columns.attname AS name
  FROM columns JOIN incomparable ON incomparable.outermost = columns.atttypid
  ORDER BY columns.attrelid, columns.attnum`;
