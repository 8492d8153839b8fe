/** Which of the rows that looked different under load are. */

import { otherSide, type Side } from '../domain/names.ts';
import { onBothSides } from './both-sides.ts';
import type { Comparison } from './compare-tables.ts';
import type { ComparedTable } from './compared-table.ts';
import { confirmHashes } from './confirm-hashes.ts';
import { confirmRows, type LinkReading } from './confirm-rows.ts';
import { describeDifference } from './describe-difference.ts';
import type { DifferingRows } from './differing-rows.ts';
import { countedHashes, distinctKeys } from './locate-differences.ts';
import { readRowsByKey } from './read-rows.ts';
import type { DifferingRow } from './verification.ts';

export interface ConfirmOptions {
  readonly publisher: Side;
  readonly waitForArrival: () => Promise<void>;
  /** Enough differing rows: the rest is not looked at. */
  readonly limit: number;
}

export interface ConfirmedDifferences {
  readonly differing: readonly DifferingRow[];
  /** Rows that could not be proven equal nor different. */
  readonly unsettled: number;
}

/** Keys confirmed at once: their rows are held in memory. */
const KEYS_A_ROUND = 500;

/** Outside the snapshots in which the rows were found. */
export async function confirmDifferences(
  comparison: Comparison,
  table: ComparedTable,
  found: DifferingRows,
  options: ConfirmOptions,
): Promise<ConfirmedDifferences> {
  const { differing, unsettled } =
    table.key.length > 0
      ? await confirmByKey(comparison, table, distinctKeys(found), options)
      : await confirmByHash(comparison, table, found, options);
  const isAllSeen = !found.isPartial && found.rows.source.length + found.rows.target.length > 0;
  return { differing, unsettled: unsettled + (isAllSeen ? 0 : 1) };
}

function confirmByHash(
  comparison: Comparison,
  table: ComparedTable,
  { rows }: DifferingRows,
  options: ConfirmOptions,
): Promise<ConfirmedDifferences> {
  const surplus = countedHashes(rows);
  const hashes = new Set([...surplus.source.keys(), ...surplus.target.keys()]);
  return confirmHashes(comparison, table, [...hashes], options);
}

async function confirmByKey(
  comparison: Comparison,
  table: ComparedTable,
  keys: readonly (readonly string[])[],
  { publisher, waitForArrival, limit }: ConfirmOptions,
): Promise<ConfirmedDifferences> {
  const link: LinkReading = {
    publisher: comparison.sessions[publisher].first,
    subscriber: comparison.sessions[otherSide(publisher)].first,
    method: comparison.method,
    waitForArrival,
    signal: comparison.signal,
  };
  const differing: (readonly string[])[] = [];
  let unsettled = 0;
  for (let start = 0; start < keys.length && differing.length < limit; start += KEYS_A_ROUND) {
    const confirmed = await confirmRows(link, table, keys.slice(start, start + KEYS_A_ROUND));
    unsettled += confirmed.unsettled.length;
    differing.push(...confirmed.differing);
  }
  return { differing: await describe(comparison, table, differing.slice(0, limit)), unsettled };
}

/** With values; without those that a later change has made equal. */
async function describe(
  comparison: Comparison,
  table: ComparedTable,
  keys: readonly (readonly string[])[],
): Promise<DifferingRow[]> {
  const { source, target } = await onBothSides(
    (side) =>
      readRowsByKey(comparison.sessions[side].first, table, comparison.method, { keys, values: 'shown' }),
    comparison.signal,
  );
  return keys.flatMap((key, index) => describeDifference(table, key, source[index], target[index]) ?? []);
}
