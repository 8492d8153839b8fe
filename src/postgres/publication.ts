/** Publications. https://www.postgresql.org/docs/current/logical-replication-publication.html */

import type { LaneNames, TableName } from '../domain/names.ts';
import { type BriefLockOptions, withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { ident, list, type Sql, sql } from './sql.ts';

/** ONLY: the children of an inheritance parent are published by themselves, if at all. Partitions come with their root all the same. */
const tableList = (tables: readonly TableName[]): Sql =>
  list(tables.map((table) => sql`ONLY ${ident(table.schema, table.name)}`));

/** @throws {PrerequisiteError} `lock_not_available` */
type Change = (
  publisher: Connection,
  name: string,
  tables: readonly TableName[],
  options?: BriefLockOptions,
) => Promise<void>;

/** SHARE UPDATE EXCLUSIVE on each table: no reader and no writer waits behind it, a vacuum holds the same. */
const change =
  (statement: (publication: Sql, tables: Sql) => Sql): Change =>
  (publisher, name, tables, options) =>
    withBriefLock(publisher, statement(ident(name), tableList(tables)), { ...options, outwaitsVacuum: true });

/** Partition trees are published as their root: leaves may differ between the sides. */
export const createPublication = change(
  (name, tables) =>
    sql`CREATE PUBLICATION ${name} FOR TABLE ${tables} WITH (publish_via_partition_root = true)`,
);

export const addTables = change((name, tables) => sql`ALTER PUBLICATION ${name} ADD TABLE ${tables}`);

export const dropTables = change((name, tables) => sql`ALTER PUBLICATION ${name} DROP TABLE ${tables}`);

export const dropPublicationSql = (name: string): Sql => sql`DROP PUBLICATION IF EXISTS ${ident(name)}`;

/** Tables listed in the publication; undefined when there is no such publication. */
export async function publishedTables(
  connection: Connection,
  name: string,
): Promise<TableName[] | undefined> {
  const rows = await connection.query<{ schema: string | null; name: string | null }>(sql`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_publication p
    LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid
    LEFT JOIN pg_class c ON c.oid = r.prrelid
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = ${name}
    ORDER BY 1, 2`);
  if (rows.length === 0) return undefined;
  return rows.flatMap((row) =>
    row.schema === null || row.name === null ? [] : [{ schema: row.schema, name: row.name }],
  );
}

/** The same of each lane, with its marker; nothing where it has no publication. */
export const publishedByLanes = (
  connection: Connection,
  lanes: readonly LaneNames[],
): Promise<TableName[][]> =>
  Promise.all(lanes.map(async ({ publication }) => (await publishedTables(connection, publication)) ?? []));
