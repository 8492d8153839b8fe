/** Rows that only the passive side has: whoever empties a table there must not take them away. */

import type { ServerAddress } from '../config/server-address.ts';
import { otherSide, type Side } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { onBothSides } from './both-sides.ts';
import { type Comparison, compareTables, ProgressCounter } from './compare-tables.ts';
import { findDifferingRows } from './differing-rows.ts';
import { readComparedTables, readServerPair } from './prepare-comparison.ts';
import { SessionPair } from './session-pair.ts';

export interface StrayRows {
  readonly table: PlannedTable;
  /** At least. */
  readonly count: number;
}

export interface StrayRowsOptions {
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  readonly passive: Side;
  readonly tables: readonly PlannedTable[];
  readonly signal: AbortSignal;
}

/**
 * Of the tables those that hold rows on the passive side which do not stand on the other one exactly like that. Reads only.
 *
 * @throws {DifferenceError} `table_missing`, `column_missing`
 */
export async function findStrayRows(options: StrayRowsOptions): Promise<StrayRows[]> {
  const { source, target, passive, tables, signal } = options;
  await using sessions = await SessionPair.open({ source, target }, 1);
  const connections = { source: sessions.source.first, target: sessions.target.first };
  const comparison: Comparison = { ...(await readServerPair(connections)), sessions, bits: 64, signal };
  // First the passive side: what has come there before its snapshot was on the active side before that one's.
  await sessions[passive].pin();
  await sessions[otherSide(passive)].pin();
  try {
    const compared = await compareTables(
      comparison,
      await readComparedTables(connections, tables),
      new ProgressCounter(tables.length),
    );
    const found: StrayRows[] = [];
    for (const [place, one] of compared.entries()) {
      const table = tables[place];
      if (one.equal || table === undefined) continue;
      const { rows, isPartial } = await findDifferingRows(comparison, one);
      const count = rows[passive].length;
      if (count > 0 || isPartial) found.push({ table, count: Math.max(1, count) });
    }
    return found;
  } finally {
    await onBothSides((side) => sessions[side].unpin());
  }
}
