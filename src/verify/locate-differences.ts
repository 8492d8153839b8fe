/** Turns an unequal pair of fingerprints into rows with values, inside the sides' snapshots. */

import { type BothSides, onBothSides } from './both-sides.ts';
import type { Comparison, TableComparison } from './compare-tables.ts';
import type { ComparedTable } from './compared-table.ts';
import { describeDifference } from './describe-difference.ts';
import { type DifferingRows, type FoundRow, findDifferingRows, forEachPart } from './differing-rows.ts';
import { type ReadRow, readRowsByHash, readRowsByKey } from './read-rows.ts';
import type { DifferingRow } from './verification.ts';

/** The first `limit` differing rows of a table. */
export async function locateDifferences(
  comparison: Comparison,
  unequal: TableComparison,
  limit: number,
): Promise<DifferingRow[]> {
  const found = await findDifferingRows(comparison, unequal);
  const { table } = unequal;
  return table.key.length > 0
    ? describeByKey(comparison, table, distinctKeys(found).slice(0, limit))
    : describeByHash(comparison, table, countedHashes(found.rows), limit);
}

/** Keys that either side has in a row that the other has not. */
export function distinctKeys({ rows }: DifferingRows): string[][] {
  const keys = [...rows.source, ...rows.target].map((row) => JSON.stringify(row.key));
  return [...new Set(keys)].sort().map((key) => JSON.parse(key) as string[]);
}

async function describeByKey(
  comparison: Comparison,
  table: ComparedTable,
  keys: readonly (readonly string[])[],
): Promise<DifferingRow[]> {
  const { source, target } = await onBothSides(
    (side) =>
      comparison.sessions[side].look(0, (session) =>
        readRowsByKey(session, table, comparison.method, { keys, values: 'shown' }),
      ),
    comparison.signal,
  );
  return keys.flatMap((key, index) => describeDifference(table, key, source[index], target[index]) ?? []);
}

/** Hash -> how many more of it this side has. */
type Surplus = ReadonlyMap<string, number>;

export function countedHashes(rows: BothSides<readonly FoundRow[]>): BothSides<Surplus> {
  const count = (side: readonly FoundRow[]) => {
    const counts = new Map<string, number>();
    for (const { hash } of side) counts.set(hash, (counts.get(hash) ?? 0) + 1);
    return counts;
  };
  return { source: count(rows.source), target: count(rows.target) };
}

/** Without a key a changed row shows as two: one that is missing on each side. */
export async function describeByHash(
  comparison: Comparison,
  table: ComparedTable,
  surplus: BothSides<Surplus>,
  limit: number,
): Promise<DifferingRow[]> {
  const rows = await onBothSides(async (side, signal) => {
    const hashes = [...surplus[side].keys()].sort().slice(0, limit);
    const found = new Map<string, ReadRow>();
    if (hashes.length === 0) return found;
    await forEachPart(comparison, side, table, signal, async (part, session) => {
      for (const row of await readRowsByHash(session, table, comparison.method, { part, hashes })) {
        found.set(row.hash, row);
      }
    });
    return found;
  }, comparison.signal);
  const copies = (side: 'source' | 'target', hash: string) => surplus[side].get(hash) ?? 1;
  return [
    ...[...rows.source.values()].flatMap(
      (row) => describeDifference(table, [], row, undefined, copies('source', row.hash)) ?? [],
    ),
    ...[...rows.target.values()].flatMap(
      (row) => describeDifference(table, [], undefined, row, copies('target', row.hash)) ?? [],
    ),
  ].slice(0, limit);
}
