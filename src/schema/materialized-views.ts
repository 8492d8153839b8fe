/** Materialized views: logical replication leaves their rows out, so the side that follows refreshes its own. */

import type { TableName } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import type { Connection } from '../postgres/connection.ts';
import { belongsToExtension, excludedRelations, schemaInScope } from '../postgres/scope.ts';
import { ident, type Sql, sql } from '../postgres/sql.ts';

export interface MaterializedView extends TableName {
  readonly isPopulated: boolean;
  /** Has the unique index that REFRESH ... CONCURRENTLY needs. */
  readonly hasKey: boolean;
  readonly bytes: number;
}

/** Those that others are made of come first. */
export async function readMaterializedViews(
  connection: Connection,
  scope: Scope,
): Promise<MaterializedView[]> {
  return connection.query<MaterializedView>(sql`
    WITH RECURSIVE uses AS (
      SELECT DISTINCT w.ev_class AS view, d.refobjid AS used
      FROM pg_rewrite w
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
      JOIN pg_class u ON u.oid = d.refobjid AND u.relkind IN ('v', 'm')
    ), depth(view, level) AS (
      SELECT oid, 0 FROM pg_class WHERE relkind = 'm'
      UNION
      SELECT uses.view, depth.level + 1 FROM uses JOIN depth ON depth.view = uses.used
    )
    SELECT n.nspname AS schema, c.relname AS name, c.relispopulated AS "isPopulated",
      coalesce(pg_table_size(c.oid), 0) AS bytes, EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND 0 <> ALL (i.indkey::int2[])) AS "hasKey"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND ${schemaInScope(scope)} AND c.oid NOT IN (${excludedRelations(scope)})
      AND NOT ${belongsToExtension(sql`'pg_class'::regclass`, sql`c.oid`)}
    ORDER BY (SELECT max(level) FROM depth WHERE view = c.oid), 1, 2`);
}

/** Our sessions switch row security off, and the server then refuses a view whose owner sees some of the rows only. */
export const refreshView = (session: Connection, view: MaterializedView): Promise<void> =>
  session.script(sql`SET LOCAL row_security = on; ${refreshSql(view)}`);

/** CONCURRENTLY lets readers go on, where the view has a key and rows to compare with. */
export const refreshSql = (view: MaterializedView): Sql => {
  const name = ident(view.schema, view.name);
  return view.hasKey && view.isPopulated
    ? sql`REFRESH MATERIALIZED VIEW CONCURRENTLY ${name}`
    : sql`REFRESH MATERIALIZED VIEW ${name}`;
};
