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

/** Both sides in one statement. */
export async function saveSchemaRecord<Objects>(
  target: Connection,
  migration: string,
  record: Readonly<Record<Side, Objects>>,
): Promise<void> {
  await target.execute(sql`
    INSERT INTO pgglide.schema_record (migration, side, objects)
    SELECT ${migration}, r.key, r.value FROM jsonb_each(${JSON.stringify(record)}::jsonb) AS r
    ON CONFLICT (migration, side) DO UPDATE SET objects = excluded.objects`);
}
