/**
 * The schema of each side as it was when both were last found to agree, a row for each class of objects. Before that
 * there are the source's classes alone, as they were when its schema was dumped.
 */

import { SIDES, type Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/** Undefined before the first record. */
export async function readSchemaHashes(
  target: Connection,
  migration: string,
): Promise<Readonly<Record<Side, string>> | undefined> {
  const { source, onTarget } = await target.one<{ source: string | null; onTarget: string | null }>(sql`
    SELECT max(hash) FILTER (WHERE side = 'source') AS source, max(hash) FILTER (WHERE side = 'target') AS "onTarget"
    FROM pgglide.schema_record WHERE migration = ${migration}`);
  return source === null || onTarget === null ? undefined : { source, target: onTarget };
}

/** In the transaction that recorded the classes. */
export async function saveSchemaHashes(
  target: Connection,
  migration: string,
  hashes: Readonly<Record<Side, string>>,
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.schema_record (migration, side, hash)
    VALUES (${migration}, 'source', ${hashes.source}), (${migration}, 'target', ${hashes.target})
    ON CONFLICT (migration, side) DO UPDATE SET hash = excluded.hash`);
}

/** What one class was; nothing where it was not recorded. */
export async function readRecordedClass<Objects extends object>(
  target: Connection,
  migration: string,
  name: string,
): Promise<Readonly<Record<Side, Objects>>> {
  const rows = await target.query<{ side: Side; objects: Objects }>(sql`
    SELECT side, objects FROM pgglide.schema_class WHERE migration = ${migration} AND class = ${name}`);
  const of = (side: Side) => rows.find((row) => row.side === side)?.objects ?? ({} as Objects);
  return { source: of('source'), target: of('target') };
}

/** Of each class what is not written alike on both sides, the record's alone. */
export async function readUnlikeObjects(
  target: Connection,
  migration: string,
): Promise<ReadonlyMap<string, Readonly<Record<Side, Record<string, string>>>>> {
  const objectsOf = (side: Side) => sql`
    SELECT c.class, o.key, o.value FROM pgglide.schema_class c CROSS JOIN LATERAL jsonb_each_text(c.objects) AS o
    WHERE c.migration = ${migration} AND c.side = ${side}`;
  const rows = await target.query<{ class: string; key: string } & Record<Side, string | null>>(sql`
    SELECT class, key, s.value AS source, t.value AS target
    FROM (${objectsOf('source')}) AS s FULL JOIN (${objectsOf('target')}) AS t USING (class, key)
    WHERE s.value IS DISTINCT FROM t.value ORDER BY class, key`);
  const classes = new Map<string, Record<Side, Record<string, string>>>();
  for (const row of rows) {
    const objects = classes.get(row.class) ?? { source: {}, target: {} };
    for (const side of SIDES) {
      const definition = row[side];
      if (definition !== null) objects[side][row.key] = definition;
    }
    classes.set(row.class, objects);
  }
  return classes;
}

/** The source's as it was when its schema was dumped; undefined where an older version of the tool has dumped it. */
export async function readDumpedClass<Objects extends object>(
  target: Connection,
  migration: string,
  name: string,
): Promise<Objects | undefined> {
  const [row] = await target.query<{ objects: Objects }>(sql`
    SELECT objects FROM pgglide.schema_class WHERE migration = ${migration} AND class = ${name} AND side = 'source'`);
  return row?.objects;
}

/** Both sides, one after the other through memory. */
export async function saveRecordedClass<Objects extends object>(
  target: Connection,
  migration: string,
  name: string,
  objects: Readonly<Record<Side, Objects>>,
): Promise<void> {
  for (const side of SIDES) await saveClassOf(target, migration, side, name, objects[side]);
}

export async function saveClassOf(
  target: Connection,
  migration: string,
  side: Side,
  name: string,
  objects: object,
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.schema_class (migration, side, class, objects)
    VALUES (${migration}, ${side}, ${name}, ${JSON.stringify(objects)}::jsonb)
    ON CONFLICT (migration, side, class) DO UPDATE SET objects = excluded.objects`);
}
