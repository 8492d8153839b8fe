/**
 * Proves that rows stayed where they were while a heap was copied in ranges. VACUUM FULL, CLUSTER, TRUNCATE and rewriting
 * ALTERs write a new file: ranges read before and after would miss rows and repeat others. Locking the table for the whole
 * time instead would make such a command wait for hours, and every query of the application behind it.
 */

import { ReplicationError } from '../domain/errors.ts';
import { qualified, type TableName } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { CopyPart } from './parts.ts';

/** File numbers of the heaps that are cut into ranges, by heapKey. */
export type HeapFiles = ReadonlyMap<string, number>;

const heapKey = ({ schema, name }: TableName): string => JSON.stringify([schema, name]);

/** As they are now, not as the transaction's snapshot shows them. */
export async function heapFiles(source: Connection, parts: readonly CopyPart[]): Promise<HeapFiles> {
  const heaps = parts.filter((part) => part.blocks !== undefined).map((part) => part.heap);
  if (heaps.length === 0) return new Map();
  const rows = await source.query<TableName & { readonly file: number }>(sql`
    SELECT DISTINCT h.schema, h.name, pg_relation_filenode(format('%I.%I', h.schema, h.name)::regclass)::int8 AS file
    FROM json_to_recordset(${JSON.stringify(heaps)}::json) AS h(schema text, name text)`);
  return new Map(rows.map((row) => [heapKey(row), row.file]));
}

/**
 * To be called in the transaction that copied the ranges, which still holds ACCESS SHARE on their heaps.
 *
 * @throws {ReplicationError} `table_rewritten`
 */
export async function assertSameFiles(
  source: Connection,
  parts: readonly CopyPart[],
  before: HeapFiles,
): Promise<void> {
  const now = await heapFiles(source, parts);
  const moved = parts.find(({ heap }) => now.get(heapKey(heap)) !== before.get(heapKey(heap)));
  if (moved === undefined) return;
  throw new ReplicationError(
    'table_rewritten',
    `${qualified(moved.heap)} was rewritten on the source (VACUUM FULL, CLUSTER, TRUNCATE or ALTER TABLE) while its parts were copied`,
    {
      hint: 'Let no such command run on it during the copy, then run the same command again: tables that are complete are not copied again.',
      facts: { table: qualified(moved.table), heap: qualified(moved.heap) },
    },
  );
}
