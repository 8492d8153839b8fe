/** What a database's schema is, read from its catalogs in a form that every version writes alike. */

import { createHash } from 'node:crypto';
import type { Connection } from '../../postgres/connection.ts';
import type { Scope } from '../../postgres/scope.ts';
import { sql } from '../../postgres/sql.ts';
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

/**
 * Reads every object of the scope but ours (schema pgglide, fences, helper indexes) and those of extensions.
 * One read-only transaction; locks nothing but catalogs.
 */
export async function schemaFingerprint(connection: Connection, scope: Scope = {}): Promise<SchemaObjects> {
  const wanted = CLASSES.filter((one) => !(one.isGlobal && scope.schemas !== undefined));
  return connection.transaction(async () => {
    await connection.script(sql`
      SET LOCAL quote_all_identifiers = on; SET LOCAL search_path = ''; SET LOCAL TimeZone = 'UTC';
      SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL lc_monetary = 'C';
      SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'`);
    const { majorVersion } = await connection.one<{ majorVersion: number }>(
      sql`SELECT current_setting('server_version_num')::int / 10000 AS "majorVersion"`,
    );
    const classes: Record<string, Record<string, string>> = {};
    const hash = createHash('sha256');
    for (const one of wanted) {
      const objects = await readClass(connection, one, scope);
      // Class by class: the text of thousands of tables at once would be the largest thing in memory.
      hash.update(JSON.stringify([one.name, objects]));
      classes[one.name] = objects;
    }
    return { majorVersion, hash: hash.digest('hex'), classes };
  }, sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`);
}

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
