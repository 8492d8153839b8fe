/** The comparison under load: before the cutover, while the link runs and the application writes. */

import type { ServerAddress } from '../config/server-address.ts';
import type { VerificationTable } from '../domain/event.ts';
import type { Side } from '../domain/names.ts';
import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import { onBothSides } from './both-sides.ts';
import { type Comparison, compareTables, ProgressCounter, type TableComparison } from './compare-tables.ts';
import { confirmDifferences } from './confirm-differences.ts';
import { type DifferingRows, findDifferingRows } from './differing-rows.ts';
import type { Bits } from './fingerprint.ts';
import { readComparedTables, readServerPair, summaryOf } from './prepare-comparison.ts';
import { SessionPair } from './session-pair.ts';
import type { DifferingRow, Verification, VerifyProgress } from './verification.ts';

export interface VerifyOnlineOptions {
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** The side that takes the application's writes. */
  readonly publisher: Side;
  readonly tables: readonly PlannedTable[];
  /** Resolves when everything committed on the publisher before the call shows on the subscriber: a marker's round trip. */
  readonly waitForArrival: () => Promise<void>;
  /** Sessions on each side; each keeps up to one core busy. Default 2. */
  readonly jobs?: number;
  /** Default 64. */
  readonly bits?: Bits;
  /** Rows shown of a table that differs. Default 10. */
  readonly maxRowsShown?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: VerifyProgress | undefined;
}

/**
 * Compares every row of the tables, in a pair of snapshots for each batch of tables; rows that differ between the
 * snapshots are read again until they are proven equal or different. Reads only, blocks nobody; a snapshot is held
 * as long as its batch (or its one large table) takes.
 *
 * `summary.equal` is true only if every row was proven equal. Row counts and fingerprints are those of the snapshots,
 * which under load are not of the same instant.
 *
 * @throws {DifferenceError} `table_missing`, `column_missing`: rows of different schemas cannot be compared
 * @throws {UnreachableError} as Connection.open()
 */
export async function verifyOnline(options: VerifyOnlineOptions): Promise<Verification> {
  const started = performance.now();
  await using sessions = await SessionPair.open(options, options.jobs ?? 2);
  const comparison: Comparison = {
    ...(await readServerPair({ source: sessions.source.first, target: sessions.target.first })),
    sessions,
    bits: options.bits ?? 64,
    signal: options.signal,
  };
  const progress = new ProgressCounter(options.tables.length, options.onProgress);
  const verdicts: TableVerdict[] = [];
  for (const batch of batches(options.tables)) {
    verdicts.push(...(await verifyBatch(comparison, batch, progress, options)));
  }
  return {
    summary: {
      mode: 'online',
      equal: verdicts.every(({ summary }) => summary.equal),
      tables: verdicts.map(({ summary }) => summary),
      sequencesEqual: undefined,
      seconds: Math.round(performance.now() - started) / 1000,
    },
    differingRows: verdicts.flatMap(({ differing }) => differing),
    unsettledRows: verdicts.reduce((sum, { unsettled }) => sum + unsettled, 0),
  };
}

const BATCH_TABLES = 200;
const BATCH_BYTES = 2 ** 31;

/** The largest first; a batch shares one pair of snapshots, which is neither to be held long nor taken 10,000 times. */
export function batches(tables: readonly PlannedTable[]): PlannedTable[][] {
  const all: PlannedTable[][] = [];
  let current: PlannedTable[] = [];
  let bytes = 0;
  for (const table of [...tables].sort((a, b) => tableBytes(b) - tableBytes(a))) {
    if (current.length >= BATCH_TABLES || (current.length > 0 && bytes + tableBytes(table) > BATCH_BYTES)) {
      all.push(current);
      current = [];
      bytes = 0;
    }
    current.push(table);
    bytes += tableBytes(table);
  }
  return current.length > 0 ? [...all, current] : all;
}

interface TableVerdict {
  readonly summary: VerificationTable;
  readonly differing: readonly DifferingRow[];
  readonly unsettled: number;
}

/** A table whose rows changed too fast, or that had too many rows on their way, is compared again. */
const ATTEMPTS = 3;

async function verifyBatch(
  comparison: Comparison,
  tables: readonly PlannedTable[],
  progress: ProgressCounter,
  options: VerifyOnlineOptions,
): Promise<TableVerdict[]> {
  const verdicts = new Map<PlannedTable, TableVerdict>();
  let open = tables;
  for (let attempt = 1; attempt <= ATTEMPTS && open.length > 0; attempt += 1) {
    const counter = attempt === 1 ? progress : new ProgressCounter(open.length);
    const suspects = await compareInSnapshots(comparison, open, counter, options);
    for (const [index, table] of open.entries()) {
      const suspect = suspects[index];
      if (suspect !== undefined) verdicts.set(table, await verdictOn(comparison, suspect, options));
    }
    open = open.filter((table) => isUndecided(verdicts.get(table)));
  }
  return [...verdicts.values()];
}

const isUndecided = (verdict: TableVerdict | undefined): boolean =>
  verdict !== undefined && verdict.unsettled > 0 && verdict.differing.length === 0;

async function verdictOn(
  comparison: Comparison,
  { compared, found }: Suspect,
  options: VerifyOnlineOptions,
): Promise<TableVerdict> {
  const summary = summaryOf(compared);
  if (found === undefined) return { summary, differing: [], unsettled: 0 };
  const { differing, unsettled } = await confirmDifferences(comparison, compared.table, found, {
    publisher: options.publisher,
    waitForArrival: options.waitForArrival,
    limit: options.maxRowsShown ?? 10,
  });
  return {
    summary: { ...summary, equal: differing.length === 0 && unsettled === 0 },
    differing,
    unsettled,
  };
}

interface Suspect {
  readonly compared: TableComparison;
  /** undefined: the fingerprints are equal. */
  readonly found: DifferingRows | undefined;
}

async function compareInSnapshots(
  comparison: Comparison,
  tables: readonly PlannedTable[],
  progress: ProgressCounter,
  { waitForArrival }: VerifyOnlineOptions,
): Promise<Suspect[]> {
  const { sessions } = comparison;
  // The less is on its way when the snapshots are taken, the fewer rows must be read again.
  await waitForArrival();
  await onBothSides((side) => sessions[side].pin());
  try {
    const connections = { source: sessions.source.first, target: sessions.target.first };
    const compared = await compareTables(comparison, await readComparedTables(connections, tables), progress);
    const suspects: Suspect[] = [];
    for (const one of compared) {
      suspects.push({
        compared: one,
        found: one.equal ? undefined : await findDifferingRows(comparison, one),
      });
    }
    return suspects;
  } finally {
    await onBothSides((side) => sessions[side].unpin());
  }
}
