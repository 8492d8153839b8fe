/** From planned tables to the parts that copyParts takes. */

import { qualified, type TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { chooseFormats } from './formats.ts';
import { paddedColumns } from './padded-columns.ts';
import { type CopyPart, planParts } from './parts.ts';

/** The first version that reads a range of row addresses without reading the whole table. */
const FIRST_WITH_TID_RANGE_SCAN = 14;
/** rtrim(bytea, bytea). */
const FIRST_WITH_BYTES_TRIMMED = 14;

/**
 * Reads both catalogs (the target's tables exist already) and changes nothing. Plan the tables inside the snapshot
 * of the copy, or after it was taken: a partition that is missing from the plan is not copied.
 */
export async function planCopy(
  source: Connection,
  target: Connection,
  tables: readonly PlannedTable[],
  options: { readonly jobs: number; readonly splitBytes: number },
): Promise<CopyPart[]> {
  const formatOf = await chooseFormats(source, target);
  const { major } = await source.one<{ major: number }>(
    sql`SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const referenced = await referencedTables(target);
  const parts = planParts(tables, {
    ...options,
    formatOf,
    mayUseRanges: major >= FIRST_WITH_TID_RANGE_SCAN,
  }).map((part) => (referenced.has(qualified(part.table)) ? { ...part, isReferenced: true } : part));
  if (major < FIRST_WITH_BYTES_TRIMMED) return parts;
  const inBinary = tables.filter((table) => formatOf(table) === 'binary');
  const padded = await paddedColumns(source, target, inBinary);
  return parts.map((part) => {
    const unpadded = padded.get(part.table) ?? [];
    return unpadded.length === 0 ? part : { ...part, unpadded };
  });
}

/** qualified() names of those that others' foreign keys refer to: none in a first copy, which the keys come after. */
async function referencedTables(target: Connection): Promise<ReadonlySet<string>> {
  const rows = await target.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conrelid <> k.confrelid`);
  return new Set(rows.map(qualified));
}
