/**
 * Heaps that have another file than a snapshot knows. VACUUM FULL, CLUSTER, TRUNCATE and rewriting ALTERs write a new one,
 * and of a file that TRUNCATE or ALTER TABLE wrote an older snapshot shows no row at all.
 *
 * @see https://www.postgresql.org/docs/current/mvcc-caveats.html
 */

import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/**
 * Those whose file, as it is now, is not the one that the transaction's snapshot shows. For what was read of them to be
 * meant, the transaction must still hold its locks on them.
 */
export async function movedHeaps(
  connection: Connection,
  heaps: readonly TableName[],
): Promise<ReadonlySet<string>> {
  if (heaps.length === 0) return new Set();
  const names = JSON.stringify(heaps.map(({ schema, name }) => ({ schema, name })));
  const rows = await connection.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM json_to_recordset(${names}::json) AS h(schema text, name text)
    JOIN pg_namespace n ON n.nspname = h.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.name
    WHERE c.relfilenode IS DISTINCT FROM pg_relation_filenode(to_regclass(format('%I.%I', h.schema, h.name)))`);
  return new Set(rows.map(qualified));
}
