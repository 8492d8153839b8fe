/**
 * Proves that what was copied of a heap is what the copy's snapshot shows. VACUUM FULL, CLUSTER, TRUNCATE and rewriting
 * ALTERs write a new file: ranges read before and after would miss rows and repeat others, and of a file that ALTER TABLE
 * wrote an older snapshot shows no row at all. Locking the table for the whole time instead would make such a command wait
 * for hours, and every query of the application behind it.
 */

import { ReplicationError } from '../domain/errors.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { movedHeaps } from '../postgres/moved-heaps.ts';
import { sql } from '../postgres/sql.ts';
import type { CopyPart } from './parts.ts';

/**
 * To be called in the transaction that copied the parts: it has the snapshot, and still holds ACCESS SHARE on their heaps.
 * It may be another transaction that is open afterwards.
 *
 * @throws {ReplicationError} `table_rewritten`
 */
export async function assertNotRewritten(
  source: Connection,
  copied: readonly { readonly part: CopyPart; readonly rows: number }[],
): Promise<void> {
  const ranges = copied.filter(({ part }) => part.blocks !== undefined).map(({ part }) => part);
  const whole = copied.filter(({ part }) => part.blocks === undefined);
  // VACUUM FULL and CLUSTER keep what a snapshot sees: a whole heap that gave rows gave all of them.
  const silent = whole.filter(({ part, rows }) => rows === 0 && part.heap.blocks > 0).map(({ part }) => part);
  const moved = await movedHeaps(
    source,
    copied.map(({ part }) => part.heap),
  );
  const hasMoved = ({ heap }: CopyPart): boolean => moved.has(qualified(heap));
  const found =
    ranges.find(hasMoved) ??
    (await firstAltered(source, silent.filter(hasMoved))) ??
    (await firstExchanged(source, whole.map(({ part }) => part).filter(hasMoved)));
  if (found === undefined) return;
  throw new ReplicationError(
    'table_rewritten',
    `${qualified(found.heap)} was rewritten on the source (VACUUM FULL, CLUSTER, TRUNCATE, ALTER TABLE, pg_repack or pg_squeeze) while the copy ran`,
    {
      hint: 'Let no such command run on it during the copy, then run the same command again: tables that are complete are not copied again.',
      facts: { table: qualified(found.table), heap: qualified(found.heap) },
    },
  );
}

/** A TRUNCATE comes through the link, and what it took away need not be copied; an ALTER TABLE sends nothing. */
async function firstAltered(source: Connection, parts: readonly CopyPart[]): Promise<CopyPart | undefined> {
  if (parts.length === 0) return undefined;
  const then = await definitions(source, parts);
  await source.script(sql`COMMIT AND CHAIN`);
  const now = await definitions(source, parts);
  return parts.find(({ heap }) => then.get(qualified(heap)) !== now.get(qualified(heap)));
}

/**
 * pg_repack and pg_squeeze fill another table and exchange the files: what was committed before our snapshot may be there with
 * later transactions, which the snapshot does not show and the slot does not send. Nothing tells such a file from that of a
 * VACUUM FULL or a TRUNCATE: where one of the two may have been at work, none is trusted.
 */
async function firstExchanged(source: Connection, parts: readonly CopyPart[]): Promise<CopyPart | undefined> {
  if (parts.length === 0) return undefined;
  // They may have come after the snapshot.
  await source.script(sql`COMMIT AND CHAIN`);
  const exchangers = await source.query(
    sql`SELECT FROM pg_extension WHERE extname IN ('pg_repack', 'pg_squeeze')`,
  );
  return exchangers.length > 0 ? parts[0] : undefined;
}

/** What no rewriting ALTER TABLE leaves as it is: the versions of the columns' entries, and the access method. */
async function definitions(
  source: Connection,
  parts: readonly CopyPart[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await source.query<TableName & { readonly definition: string }>(sql`
    SELECT h.schema, h.name, concat_ws(' ', c.oid, c.relam, (
      SELECT string_agg(a.xmin::text, ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid)) AS definition
    FROM json_to_recordset(${namesOf(parts)}::json) AS h(schema text, name text)
    JOIN pg_namespace n ON n.nspname = h.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = h.name`);
  return new Map(rows.map((row) => [qualified(row), row.definition]));
}

const namesOf = (parts: readonly CopyPart[]): string =>
  JSON.stringify(parts.map(({ heap: { schema, name } }) => ({ schema, name })));
