/** The exact comparison: both sides inside snapshots of one instant, while the application works on. */

import type { ServerAddress } from '../config/server-address.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { onBothSides } from './both-sides.ts';
import { type Comparison, compareTables, ProgressCounter } from './compare-tables.ts';
import type { Bits } from './fingerprint.ts';
import { locateDifferences } from './locate-differences.ts';
import { readComparedTables, readServerPair, summaryOf } from './prepare-comparison.ts';
import { SessionPair } from './session-pair.ts';
import type { DifferingRow, Verification, VerifyProgress } from './verification.ts';

export interface PinnedSide {
  readonly address: ServerAddress;
  /** Name from pg_export_snapshot(). The transaction that exported it must be open when this begins. */
  readonly snapshot: string;
}

export interface VerifyPinnedOptions {
  readonly source: PinnedSide;
  readonly target: PinnedSide;
  readonly tables: readonly PlannedTable[];
  /** Sessions on each side; each keeps up to one core busy. Default 2. */
  readonly jobs?: number;
  /** Default 64. */
  readonly bits?: Bits;
  /** Rows shown of a table that differs. Default 10. */
  readonly maxRowsShown?: number;
  /** Handed on into the summary; see compareSequences(). */
  readonly sequencesEqual?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: VerifyProgress | undefined;
  /** Called once all sessions are inside the snapshots: from then on their exporters may end. */
  readonly onPinned?: (() => void) | undefined;
}

/**
 * Compares every row of the tables. Reads only; holds ACCESS SHARE on the tables and both snapshots until it ends.
 * A TRUNCATE or a rewriting ALTER TABLE after the snapshots empties a table for them too: it is not equal.
 *
 * @throws {PrerequisiteError} `snapshot_gone`
 * @throws {DifferenceError} `table_missing`, `column_missing`: rows of different schemas cannot be compared
 * @throws {UnreachableError} as Connection.open()
 * @see https://www.postgresql.org/docs/current/sql-set-transaction.html
 */
export async function verifyPinned(options: VerifyPinnedOptions): Promise<Verification> {
  const started = performance.now();
  const addresses = { source: options.source.address, target: options.target.address };
  await using sessions = await SessionPair.open(addresses, options.jobs ?? 2);
  await onBothSides((side) => sessions[side].pin(options[side].snapshot));
  options.onPinned?.();

  const connections = { source: sessions.source.first, target: sessions.target.first };
  const comparison: Comparison = {
    ...(await readServerPair(connections)),
    sessions,
    bits: options.bits ?? 64,
    signal: options.signal,
  };
  const tables = await readComparedTables(connections, options.tables);
  const progress = new ProgressCounter(tables.length, options.onProgress);
  const compared = await compareTables(comparison, tables, progress);
  const differingRows: DifferingRow[] = [];
  for (const unequal of compared.filter((table) => !table.equal)) {
    differingRows.push(...(await locateDifferences(comparison, unequal, options.maxRowsShown ?? 10)));
  }
  return {
    summary: {
      mode: 'pinned',
      equal: compared.every(({ equal }) => equal) && options.sequencesEqual !== false,
      tables: compared.map(summaryOf),
      sequencesEqual: options.sequencesEqual,
      seconds: Math.round(performance.now() - started) / 1000,
    },
    differingRows,
    unsettledRows: 0,
  };
}
