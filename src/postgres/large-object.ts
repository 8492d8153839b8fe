/** Large objects: what is there, and bringing one over. https://www.postgresql.org/docs/current/largeobjects.html */

import { isDeepStrictEqual } from 'node:util';
import type { Connection } from './connection.ts';
import { ofAllGrantors } from './grants.ts';
import { ident, list, literal, type Sql, sql, trusted } from './sql.ts';

export interface LargeObject {
  readonly oid: number;
  readonly bytes: number;
  readonly owner: string;
  /** Grants other than the owner's by default; undefined: none. */
  readonly grants: readonly LargeObjectGrant[] | undefined;
  readonly comment: string | undefined;
  /** Over the content. */
  readonly md5: string;
}

interface LargeObjectGrant {
  /** Undefined: PUBLIC. */
  readonly grantee: string | undefined;
  readonly privilege: 'SELECT' | 'UPDATE';
  /** False for the owner, who may hand it on whatever is said. */
  readonly isGrantable: boolean;
}

interface Row {
  oid: number;
  bytes: number;
  owner: string;
  grants: { grantee: string | null; privilege: 'SELECT' | 'UPDATE'; isGrantable: boolean }[] | null;
  comment: string | null;
  md5: string;
}

/** A descriptor each stays open until the statement ends. */
const BATCH = 1000;
/** INV_READ */
const READ = 262144;

/**
 * All of the database, in order of their oid. Reads every content, 16 MB at a time on the server.
 * Needs SELECT on each (a superuser, or its owner): the server's error says which.
 */
export async function readLargeObjects(
  connection: Connection,
  signal: AbortSignal | undefined = undefined,
): Promise<LargeObject[]> {
  const found: LargeObject[] = [];
  for (let after = 0; ; ) {
    signal?.throwIfAborted();
    const rows = await connection.query<Row>(batchSql(after));
    found.push(...rows.map(largeObject));
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return found;
    after = last.oid;
  }
}

const largeObject = ({ grants, comment, ...row }: Row): LargeObject => ({
  ...row,
  grants: grants?.map((grant) => ({ ...grant, grantee: grant.grantee ?? undefined })),
  comment: comment ?? undefined,
});

const batchSql = (after: number): Sql => sql`
  SELECT m.oid::bigint AS oid, m.bytes, pg_get_userbyid(m.lomowner)::text AS owner,
    obj_description(m.oid, 'pg_largeobject') AS comment,
    CASE WHEN m.lomacl IS NOT NULL THEN (
      SELECT coalesce(jsonb_agg(jsonb_build_object('grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type, 'isGrantable', a.is_grantable AND a.grantee <> m.lomowner)
        ORDER BY a.grantee <> 0, pg_get_userbyid(a.grantee) COLLATE "C", a.privilege_type COLLATE "C"), '[]')
      FROM ${ofAllGrantors(sql`m.lomacl`)} AS a) END AS grants,
    (SELECT md5(string_agg(md5(lo_get(m.oid, part * 16777216, 16777216)), '' ORDER BY part))
     FROM generate_series(0, greatest(m.bytes - 1, 0) / 16777216) AS part) AS md5
  FROM (
    SELECT oid, lomowner, lomacl, lo_lseek64(lo_open(oid, ${READ}::int), 0, 2) AS bytes
    FROM pg_largeobject_metadata WHERE oid > ${after}::oid ORDER BY oid LIMIT ${BATCH}::int) AS m
  ORDER BY 1`;

async function hasLargeObjects(connection: Connection): Promise<boolean> {
  const { any } = await connection.one<{ any: boolean }>(
    sql`SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AS any`,
  );
  return any;
}

/** Cheap whatever their size (a sum, because bit_xor() came with 14): tells creation, removal and growth, not a byte written over another. */
export async function largeObjectSummary(connection: Connection): Promise<string> {
  const { summary } = await connection.one<{ summary: string }>(sql`
    SELECT count(*) || ' ' || coalesce(sum(hashint8extended(oid::bigint, 0)::numeric), 0) || ' '
      || pg_relation_size('pg_largeobject') AS summary
    FROM pg_largeobject_metadata`);
  return summary;
}

/** Read again in whole only where that takes a few milliseconds. */
const SMALL_COUNT = 500;
export const SMALL_BYTES = 8 * 1024 * 1024;

/** Few and small ones are compared to the byte; of many, number, oids and space. */
export async function areLargeObjectsAs(
  connection: Connection,
  { all, summary }: { readonly all: readonly LargeObject[]; readonly summary: string },
): Promise<boolean> {
  if (all.length === 0) return !(await hasLargeObjects(connection));
  if (isSmall(all)) return isDeepStrictEqual(await readLargeObjects(connection), all);
  return (await largeObjectSummary(connection)) === summary;
}

const isSmall = (objects: readonly LargeObject[]): boolean =>
  objects.length <= SMALL_COUNT && objects.reduce((sum, { bytes }) => sum + bytes, 0) <= SMALL_BYTES;

/** Bytes of the catalog that holds them: what a comparison reads. */
export const largeObjectSize = (connection: Connection): Promise<{ count: number; bytes: number }> =>
  connection.one(sql`
    SELECT count(*) AS count, pg_table_size('pg_largeobject') AS bytes FROM pg_largeobject_metadata`);

export const readContent = async (
  connection: Connection,
  oid: number,
  offset: number,
  bytes: number,
): Promise<Buffer> => {
  const { data } = await connection.one<{ data: Buffer }>(
    sql`SELECT lo_get(${oid}::oid, ${offset}::bigint, ${bytes}::int) AS data`,
  );
  return data;
};

/** Whole contents of small ones, by oid; one that is gone meanwhile is left out. */
export async function readContents(
  connection: Connection,
  oids: readonly number[],
): Promise<Map<number, Buffer>> {
  const rows = await connection.query<{ oid: number; data: Buffer }>(sql`
    SELECT oid::bigint AS oid, lo_get(oid) AS data FROM pg_largeobject_metadata WHERE oid = ANY (${oids}::oid[])`);
  return new Map(rows.map(({ oid, data }) => [oid, data]));
}

export const writeContent = (
  connection: Connection,
  oid: number,
  offset: number,
  data: Buffer,
): Promise<unknown> => connection.query(sql`SELECT lo_put(${oid}::oid, ${offset}::bigint, ${data}::bytea)`);

/** Those that exist are removed. */
export const unlinkLargeObjects = (connection: Connection, oids: readonly number[]): Promise<unknown> =>
  connection.query(sql`SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = ANY (${oids}::oid[])`);

/** With their oids, owner, grants and comment, empty: unique_violation where an oid is taken. */
export async function createLargeObjects(
  connection: Connection,
  objects: readonly LargeObject[],
): Promise<void> {
  const oids = objects.map(({ oid }) => oid);
  await connection.query(sql`SELECT lo_create(oid) FROM unnest(${oids}::oid[]) AS oid`);
  await connection.script(list(objects.flatMap(propertiesSql), '; '));
}

function propertiesSql({ oid, owner, grants, comment }: LargeObject): Sql[] {
  const object = sql`LARGE OBJECT ${trusted(String(oid))}`;
  const given = (grants ?? []).map(({ grantee, privilege, isGrantable }) => {
    const to = grantee === undefined ? sql`PUBLIC` : ident(grantee);
    return sql`GRANT ${trusted(privilege)} ON ${object} TO ${to}${trusted(isGrantable ? ' WITH GRANT OPTION' : '')}`;
  });
  return [
    sql`ALTER ${object} OWNER TO ${ident(owner)}`,
    ...(grants === undefined ? [] : [sql`REVOKE ALL ON ${object} FROM ${ident(owner)}`, ...given]),
    ...(comment === undefined ? [] : [sql`COMMENT ON ${object} IS ${literal(comment)}`]),
  ];
}
