/** What one server has in its buffer cache, read into another's. Both need an extension of contrib. */

import type { TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { ident, type Sql, sql } from './sql.ts';

/** Undefined where the extension is not installed in this database. */
async function functionOf(
  connection: Connection,
  extension: 'pg_buffercache' | 'pg_prewarm',
): Promise<Sql | undefined> {
  const [row] = await connection.query<{ schema: string }>(sql`
    SELECT n.nspname AS schema FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
    WHERE x.extname = ${extension}`);
  return row === undefined ? undefined : ident(row.schema, extension);
}

/**
 * Tables and indexes of users that are cached for half or more, the most cached first; undefined where nobody can tell.
 * Reads the headers of all buffers, without locks.
 * https://www.postgresql.org/docs/current/pgbuffercache.html
 */
export async function hotRelations(connection: Connection): Promise<TableName[] | undefined> {
  const view = await functionOf(connection, 'pg_buffercache');
  if (view === undefined) return undefined;
  return connection.query<TableName>(sql`
    SELECT n.nspname AS schema, c.relname AS name
    FROM ${view} AS b
    JOIN pg_class c ON pg_relation_filenode(c.oid) = b.relfilenode
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE b.relforknumber = 0 AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND c.relkind IN ('r', 'i', 'm') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgglide')
    GROUP BY c.oid, n.nspname, c.relname
    HAVING count(*) * 2 * current_setting('block_size')::int >= pg_relation_size(c.oid)
    ORDER BY count(*) DESC, 1, 2`);
}

/**
 * Reads relations that exist here into the cache, in the order given, until three quarters of it are filled.
 * https://www.postgresql.org/docs/current/pgprewarm.html
 *
 * @returns how many; undefined where pg_prewarm is not installed
 */
export async function prewarm(
  connection: Connection,
  relations: readonly TableName[],
): Promise<number | undefined> {
  const read = await functionOf(connection, 'pg_prewarm');
  if (read === undefined) return undefined;
  const names = relations.map(({ schema, name }) => ({ schema, name }));
  const { warmed } = await connection.one<{ warmed: number }>(sql`
    WITH wanted AS (
      SELECT c.oid, sum(pg_relation_size(c.oid)) OVER (ORDER BY t.place) AS filled
      FROM ROWS FROM (json_to_recordset(${JSON.stringify(names)}::json) AS (schema text, name text))
        WITH ORDINALITY AS t(schema, name, place)
      JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
      WHERE c.relkind IN ('r', 'i', 'm'))
    SELECT count(${read}(oid::regclass)) AS warmed FROM wanted
    WHERE filled <= pg_size_bytes(current_setting('shared_buffers')) * 3 / 4`);
  return warmed;
}
