/** What a database's schema is, read from its catalogs in a form that every version writes alike. */

import { createHash } from 'node:crypto';
import type { Connection } from '../../postgres/connection.ts';
import type { Scope } from '../../postgres/scope.ts';
import { list, type Sql, sql } from '../../postgres/sql.ts';
import type { ObjectClass } from './object-class.ts';
import { RELATION_CLASSES } from './relation-classes.ts';
import { SCHEMA_CLASSES } from './schema-classes.ts';

/** Fits into JSON. */
export interface SchemaObjects {
  readonly majorVersion: number;
  /** Hex SHA-256 over all objects: equal on one version if and only if the schemas are. */
  readonly hash: string;
  /** Class -> key -> definition. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const CLASSES: readonly ObjectClass[] = [...RELATION_CLASSES, ...SCHEMA_CLASSES];

const wantedClasses = (scope: Scope): readonly ObjectClass[] =>
  CLASSES.filter((one) => !(one.isGlobal && scope.schemas !== undefined));

/**
 * Reads every object of the scope but ours (schema pgglide, fences, helper indexes) and those of extensions.
 * One read-only transaction; locks nothing but catalogs.
 */
export async function schemaFingerprint(connection: Connection, scope: Scope = {}): Promise<SchemaObjects> {
  return reading(connection, async () => {
    const { majorVersion } = await connection.one<{ majorVersion: number }>(
      sql`SELECT current_setting('server_version_num')::int / 10000 AS "majorVersion"`,
    );
    const hash = await hashOf(connection, scope);
    const classes: Record<string, Record<string, string>> = {};
    for (const one of wantedClasses(scope)) classes[one.name] = await readClass(connection, one, scope);
    return { majorVersion, hash, classes };
  });
}

/** The `hash` of schemaFingerprint() alone: the server hashes, so that thousands of tables do not travel to find nothing new. */
export const schemaHash = (connection: Connection, scope: Scope = {}): Promise<string> =>
  reading(connection, () => hashOf(connection, scope));

/** One instant, and settings under which definitions print alike everywhere. */
const reading = <T>(connection: Connection, work: () => Promise<T>): Promise<T> =>
  connection.transaction(async () => {
    await connection.script(sql`
      SET LOCAL quote_all_identifiers = on; SET LOCAL search_path = ''; SET LOCAL TimeZone = 'UTC';
      SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL lc_monetary = 'C';
      SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'`);
    return work();
  }, sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);

async function hashOf(connection: Connection, scope: Scope): Promise<string> {
  const hash = createHash('sha256');
  for (const one of wantedClasses(scope)) {
    const row = await connection.one<ClassHash>(classHashSql(one, scope));
    hash.update(JSON.stringify([one.name, row.count, row.sums]));
  }
  return hash.digest('hex');
}

interface ClassHash {
  readonly count: number;
  readonly sums: readonly string[];
}

/** Four sums of 64-bit hashes, over keys and definitions in any order: no sort, and no text of all objects in one. */
const classHashSql = (one: ObjectClass, scope: Scope): Sql => {
  const sums = [0, 1, 2, 3].map((seed) => sql`sum(hashtextextended(object, ${seed}::bigint))::text`);
  return sql`
    SELECT count(*) AS count, ARRAY[${list(sums)}] AS sums
    FROM (SELECT row(key, definition)::text COLLATE "C" AS object
      FROM (${one.objects(scope)}) AS o(key, definition) OFFSET 0) AS objects`;
};

async function readClass(
  connection: Connection,
  one: ObjectClass,
  scope: Scope,
): Promise<Record<string, string>> {
  const rows = await connection.query<{ key: string; definition: string }>(sql`
    SELECT key, definition FROM (${one.objects(scope)}) AS object(key, definition)
    ORDER BY key COLLATE "C"`);
  // Thousands of tables share their definitions: each text is kept once.
  const texts = new Map<string, string>();
  const shared = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  return Object.fromEntries(rows.map((row) => [row.key, shared(row.definition)]));
}
