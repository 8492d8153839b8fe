/** What a database's schema is, read from its catalogs in a form that every version writes alike. */

import { createHash, type Hash } from 'node:crypto';
import { allEnded } from '../../base/async.ts';
import type { Side } from '../../domain/names.ts';
import type { Scope } from '../../domain/scope.ts';
import type { Connection } from '../../postgres/connection.ts';
import { list, type Sql, sql, trusted } from '../../postgres/sql.ts';
import { ANNOTATIONS } from './annotations.ts';
import { broughtGrants } from './brought-grants.ts';
import type { ObjectClass } from './object-class.ts';
import { RELATION_CLASSES } from './relation-classes.ts';
import { SCHEMA_CLASSES } from './schema-classes.ts';
import { types } from './type-classes.ts';

/** Key -> definition, of one class. Fits into JSON. */
export type ObjectsOfClass = Readonly<Record<string, string>>;

/** One class of two schemas. */
export interface ClassOfBoth {
  readonly name: string;
  readonly objects: Readonly<Record<Side, ObjectsOfClass>>;
  /** Their servers are of different major versions. */
  readonly acrossVersions: boolean;
}

const CLASSES: readonly ObjectClass[] = [
  ...RELATION_CLASSES,
  types,
  ...SCHEMA_CLASSES,
  broughtGrants,
  ...ANNOTATIONS,
];

const wantedClasses = (scope: Scope): readonly ObjectClass[] =>
  CLASSES.filter((one) => !(one.isGlobal && scope.schemas !== undefined));

/**
 * Reads every object of the scope but ours (schema pgglide, fences, helper indexes) and those of extensions, and hands on
 * one class after the other: the whole schema of thousands of tables would not fit into our memory.
 * One read-only transaction; locks nothing but catalogs.
 *
 * @returns the schema's hash, in hex: equal on one version if and only if the schemas are
 */
export const readSchema = (
  connection: Connection,
  scope: Scope,
  take: (name: string, objects: ObjectsOfClass) => void | Promise<void>,
): Promise<string> =>
  reading(connection, async () => {
    const reader = new SchemaReader(connection, scope);
    for (const one of wantedClasses(scope)) await take(one.name, await reader.read(one));
    return reader.hash;
  });

/** The same of both sides. */
export const readBothSchemas = (
  { source, target }: Readonly<Record<Side, Connection>>,
  scope: Scope,
  take: (one: ClassOfBoth) => void | Promise<void>,
): Promise<Readonly<Record<Side, string>>> =>
  reading(source, () =>
    reading(target, async () => {
      const acrossVersions = (await majorVersion(source)) !== (await majorVersion(target));
      const readers = { source: new SchemaReader(source, scope), target: new SchemaReader(target, scope) };
      for (const one of wantedClasses(scope)) {
        const [onSource, onTarget] = await allEnded([readers.source.read(one), readers.target.read(one)]);
        await take({ name: one.name, objects: { source: onSource, target: onTarget }, acrossVersions });
      }
      return { source: readers.source.hash, target: readers.target.hash };
    }),
  );

class SchemaReader {
  readonly #connection: Connection;
  readonly #scope: Scope;
  readonly #hash = createHash('sha256');

  constructor(connection: Connection, scope: Scope) {
    this.#connection = connection;
    this.#scope = scope;
  }

  async read(one: ObjectClass): Promise<ObjectsOfClass> {
    const { objects, classHash } = await readClass(this.#connection, one, this.#scope);
    addTo(this.#hash, one, classHash);
    return objects;
  }

  /** Of the classes read so far. */
  get hash(): string {
    return this.#hash.copy().digest('hex');
  }
}

async function majorVersion(connection: Connection): Promise<number> {
  const version = sql`SELECT current_setting('server_version_num')::int / 10000 AS major`;
  return (await connection.one<{ major: number }>(version)).major;
}

/** The hash of readSchema() alone: the server hashes, so that thousands of tables do not travel to find nothing new. */
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

/**
 * The definition of a view locks its tables (ACCESS SHARE): let go with its class, so that DDL of the application, and all
 * that stands behind it, waits for as little as can be. The snapshot stays.
 */
async function brieflyLocking<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  await connection.script(sql`SAVEPOINT one_class`);
  const result = await work();
  await connection.script(sql`ROLLBACK TO SAVEPOINT one_class; RELEASE SAVEPOINT one_class`);
  return result;
}

async function hashOf(connection: Connection, scope: Scope): Promise<string> {
  const hash = createHash('sha256');
  for (const one of wantedClasses(scope))
    addTo(
      hash,
      one,
      await brieflyLocking(connection, () =>
        connection.one<ClassHash>(sql`WITH ${objectsOf(one, scope)} ${CLASS_HASH}`),
      ),
    );
  return hash.digest('hex');
}

interface ClassHash {
  readonly count: number;
  readonly sums: readonly string[];
}

const addTo = (hash: Hash, { name }: ObjectClass, { count, sums }: ClassHash): void =>
  void hash.update(JSON.stringify([name, count, sums]));

const objectsOf = (one: ObjectClass, scope: Scope): Sql =>
  sql`objects(key, definition) AS MATERIALIZED (${one.objects(scope)})`;

const OBJECT = sql`row(key, definition)::text COLLATE "C"`;

/**
 * Sums of 64-bit hashes, whatever the order of the objects: no sort, and no text of all of them in one. OFFSET 0: each object is
 * written once, not for each of its hashes.
 */
const CLASS_HASH = sql`
  SELECT count(*) AS count, ARRAY[${list([0, 1, 2, 3].map((seed) => sql`coalesce(sum(hashtextextended(object, ${trusted(String(seed))})), 0)::text`))}] AS sums
  FROM (SELECT ${OBJECT} AS object FROM objects OFFSET 0) AS written`;

type ClassRow = { readonly key: string; readonly definition: string; readonly count: null } | LastRow;
type LastRow = ClassHash & { readonly key: null };

async function readClass(
  connection: Connection,
  one: ObjectClass,
  scope: Scope,
): Promise<{ readonly objects: Record<string, string>; readonly classHash: ClassHash }> {
  const statement = sql`
    WITH ${objectsOf(one, scope)}, hashed AS (${CLASS_HASH})
    SELECT key, definition, count, sums FROM (
      SELECT key, definition, NULL::bigint AS count, NULL::text[] AS sums FROM objects
      UNION ALL SELECT NULL, NULL, count, sums FROM hashed) AS everything
    ORDER BY key COLLATE "C"`;
  const rows = await brieflyLocking(connection, () => connection.query<ClassRow>(statement));
  // Thousands of tables share their definitions: each text is kept once.
  const texts = new Map<string, string>();
  const shared = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  const objects: Record<string, string> = {};
  let classHash: ClassHash = { count: 0, sums: [] };
  for (const row of rows) {
    if (row.count === null) objects[row.key] = shared(row.definition);
    else classHash = { count: row.count, sums: row.sums };
  }
  return { objects, classHash };
}
