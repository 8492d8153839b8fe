/** Finds the tables whose rows no link carries, on either side. */

import { type AsideTable, ROWS_NOT_FOR_US } from '../domain/aside.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { excludedRelations, relationInScope, schemaInScope } from '../postgres/scope.ts';
import { type Sql, sql } from '../postgres/sql.ts';

export interface AsideOptions {
  readonly scope: Scope;
  readonly unloggedTables: 'carry' | 'empty';
}

/**
 * Those that both sides have, as they are on the giving side.
 * `refused`: an extension's, and our role may not replace its rows on the taking side.
 */
export async function asideTables(
  from: Connection,
  to: Connection,
  { scope, unloggedTables }: AsideOptions,
): Promise<{ readonly wanted: readonly AsideTable[]; readonly refused: readonly AsideTable[] }> {
  const [here, there] = await Promise.all([readAsideTables(from, scope), readAsideTables(to, scope)]);
  const taking = new Map(there.map((table) => [qualified(table), table]));
  const both = here.flatMap((table) => {
    const other = taking.get(qualified(table));
    if (other?.kind !== table.kind || (table.kind === 'unlogged' && unloggedTables === 'empty')) return [];
    return [{ ...table, hasTriggers: other.hasTriggers, mayReplace: other.mayReplace }];
  });
  // An unlogged table is the user's own: where a privilege is missing, that is to be mended, not passed over.
  const isRefused = (table: AsideTable) => table.kind === 'configuration' && !table.mayReplace;
  return { wanted: both.filter((table) => !isRefused(table)), refused: both.filter(isRefused) };
}

interface Row extends TableName, Omit<AsideTable, keyof TableName | 'references' | 'extension'> {
  readonly extension: string | null;
  readonly references: readonly TableName[];
  readonly bytes: number;
}

/** Reads catalogs only. */
export async function readAsideTables(connection: Connection, scope: Scope): Promise<AsideTable[]> {
  const rows = await connection.query<Row>(asideSql(scope));
  return rows.map(({ bytes, references, extension, ...row }) => ({
    ...row,
    isPartitioned: false,
    replicaIdentity: 'none',
    extension: extension ?? undefined,
    references: references.map(qualified),
    heaps: [{ schema: row.schema, name: row.name, bytes, blocks: 0 }],
  }));
}

/**
 * Each leaf of a partition tree for itself, since a tree may have logged leaves and others.
 *
 * @see https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES
 */
const asideSql = (scope: Scope): Sql => sql`
  SELECT n.nspname AS schema, c.relname AS name, a.kind, a.condition, a.extension,
    ARRAY(SELECT t.attname::text FROM pg_attribute t
      WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated = ''
      ORDER BY t.attnum) AS columns,
    coalesce(pg_table_size(c.oid), 0)::int8 AS bytes, greatest(c.reltuples, 0)::int8 AS "rowEstimate",
    (SELECT coalesce(json_agg(json_build_object('schema', rn.nspname, 'name', r.relname)), '[]')
      FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
      WHERE k.contype = 'f' AND k.conrelid = c.oid) AS references,
    EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled = 'O') AS "hasTriggers",
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT')
      AND has_table_privilege(c.oid, 'DELETE') AS "mayReplace"
  FROM (${unloggedTables(scope)} UNION ALL ${configurationTables(scope)}) AS a
  JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

const unloggedTables = (scope: Scope): Sql => sql`
  SELECT c.oid, 'unlogged' AS kind, '' AS condition, NULL::text AS extension
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND ${relationInScope(scope)}`;

const configurationTables = (scope: Scope): Sql => sql`
  SELECT c.oid, 'configuration', coalesce(t.condition, ''), x.extname::text
  FROM pg_extension x CROSS JOIN LATERAL unnest(x.extconfig, x.extcondition) AS t(oid, condition)
  JOIN pg_class c ON c.oid = t.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE x.extname <> ALL (${Object.keys(ROWS_NOT_FOR_US)}::text[])
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    AND ${schemaInScope(scope)} AND c.oid NOT IN (${excludedRelations(scope)})`;
