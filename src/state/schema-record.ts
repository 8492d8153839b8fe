/** The schema of each side as it was when both were last found to agree. */

import type { Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/** Undefined before the first record. */
export async function readSchemaRecord<Objects>(
  target: Connection,
  migration: string,
): Promise<Readonly<Record<Side, Objects>> | undefined> {
  const rows = await target.query<{ side: Side; objects: Objects }>(
    sql`SELECT side, objects FROM pgglide.schema_record WHERE migration = ${migration}`,
  );
  const objects = new Map(rows.map((row) => [row.side, row.objects]));
  const [source, onTarget] = [objects.get('source'), objects.get('target')];
  return source === undefined || onTarget === undefined ? undefined : { source, target: onTarget };
}

/** What the recorded schemas' hashes were, without the schemas, which are large where there are thousands of tables. */
export async function readSchemaHashes(
  target: Connection,
  migration: string,
): Promise<Readonly<Record<Side, string>> | undefined> {
  const { source, onTarget } = await target.one<{ source: string | null; onTarget: string | null }>(sql`
    SELECT max(objects->>'hash') FILTER (WHERE side = 'source') AS source,
      max(objects->>'hash') FILTER (WHERE side = 'target') AS "onTarget"
    FROM pgglide.schema_record WHERE migration = ${migration}`);
  return source === null || onTarget === null ? undefined : { source, target: onTarget };
}

/** Both sides in one transaction, and one after the other through memory. */
export async function saveSchemaRecord<Objects>(
  target: Connection,
  migration: string,
  record: Readonly<Record<Side, Objects>>,
): Promise<void> {
  const save = (side: Side) =>
    target.execute(sql`
      INSERT INTO pgglide.schema_record (migration, side, objects)
      VALUES (${migration}, ${side}, ${JSON.stringify(record[side])}::jsonb)
      ON CONFLICT (migration, side) DO UPDATE SET objects = excluded.objects`);
  await target.transaction(async () => {
    await save('source');
    await save('target');
  });
}
