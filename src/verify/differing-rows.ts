/**
 * Which rows of a table differ between two snapshots: first in buckets by some bits of the rows' hash, then row by row
 * in the buckets that differ. Buckets of the hash and not ranges of the key: they are the same for every type and
 * collation, they need no index, they are of equal size, and tables without a key have them too.
 */

import { inParallel } from '../base/async.ts';
import type { Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { movedHeaps } from '../postgres/moved-heaps.ts';
import { ident, sql, trusted } from '../postgres/sql.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import type { Comparison, TableComparison } from './compare-tables.ts';
import type { ComparedTable } from './compared-table.ts';
import {
  addFingerprints,
  type Fingerprint,
  type FingerprintRow,
  fingerprintOf,
  fingerprintTerms,
  hashedPart,
  sameFingerprint,
} from './fingerprint.ts';
import { type HeapPart, heapParts } from './heap-part.ts';
import { textsOf } from './row-text.ts';

/** A row as one side has it. */
export interface FoundRow {
  /** Its 64-bit hash, as text. */
  readonly hash: string;
  /** Its key's values; empty for a table without a key. */
  readonly key: readonly string[];
}

export interface DifferingRows {
  /** Rows of one side that the other has not, or not as often. */
  readonly rows: BothSides<readonly FoundRow[]>;
  /** There are, or may be, more than these. */
  readonly isPartial: boolean;
}

const ROWS_A_BUCKET = 128;
const MAX_BUCKETS = 65_536;
/** What is fetched and held at once. */
const MAX_FETCHED_ROWS = 50_000;

/** Reads the table once or twice more on each side. Memory is bounded: of very many differences only some are found. */
export async function findDifferingRows(
  comparison: Comparison,
  { table, fingerprints }: TableComparison,
): Promise<DifferingRows> {
  const rowCount = Math.max(fingerprints.source.rows, fingerprints.target.rows);
  const buckets = bucketCount(rowCount);
  const differing = buckets === 1 ? [0] : await differingBuckets(comparison, table, buckets);
  const fetched = differing.slice(0, affordableBuckets(rowCount, buckets));
  const found = await onBothSides(
    (side, signal) => rowsInBuckets(comparison, side, table, buckets, fetched, signal),
    comparison.signal,
  );
  return {
    rows: { source: surplus(found.source, found.target), target: surplus(found.target, found.source) },
    isPartial: fetched.length < differing.length || (await wasRewritten(comparison, table)),
  };
}

/** Of a file that was written since, the snapshot may show no row: what was looked for there is not found. */
async function wasRewritten({ sessions, signal }: Comparison, table: ComparedTable): Promise<boolean> {
  const moved = await onBothSides(
    (side) => sessions[side].look(0, (session) => movedHeaps(session, table.heaps[side])),
    signal,
  );
  return moved.source.size + moved.target.size > 0;
}

/** A power of two: bucket = hash & (count - 1). */
export function bucketCount(rowCount: number): number {
  const wanted = Math.ceil(rowCount / ROWS_A_BUCKET);
  return Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(Math.max(1, wanted))));
}

export const affordableBuckets = (rowCount: number, buckets: number): number =>
  Math.max(1, Math.floor((MAX_FETCHED_ROWS * buckets) / Math.max(1, rowCount)));

/** The rows that `these` has and `those` has not, each as often as it is missing there. */
export function surplus(these: readonly FoundRow[], those: readonly FoundRow[]): FoundRow[] {
  const identity = (row: FoundRow) => JSON.stringify([row.hash, row.key]);
  const unmatched = new Map<string, number>();
  for (const row of those) unmatched.set(identity(row), (unmatched.get(identity(row)) ?? 0) + 1);
  return these.filter((row) => {
    const left = unmatched.get(identity(row)) ?? 0;
    if (left > 0) unmatched.set(identity(row), left - 1);
    return left === 0;
  });
}

async function differingBuckets(
  comparison: Comparison,
  table: ComparedTable,
  buckets: number,
): Promise<number[]> {
  const sums = await onBothSides(
    (side, signal) => bucketSums(comparison, side, table, buckets, signal),
    comparison.signal,
  );
  const all = new Set([...sums.source.keys(), ...sums.target.keys()]);
  return [...all].filter((bucket) => {
    const [source, target] = [sums.source.get(bucket), sums.target.get(bucket)];
    return source === undefined || target === undefined || !sameFingerprint(source, target);
  });
}

const bucketOf = (buckets: number) => sql`(r.h0 & ${trusted(String(buckets - 1))})::int`;

async function bucketSums(
  comparison: Comparison,
  side: Side,
  table: ComparedTable,
  buckets: number,
  signal: AbortSignal,
): Promise<Map<number, Fingerprint>> {
  const sums = new Map<number, Fingerprint>();
  const rows = { columns: table.columns, method: comparison.method, bits: comparison.bits };
  await forEachPart(comparison, side, table, signal, async (part, session) => {
    const found = await session.query<FingerprintRow & { bucket: number }>(sql`
      SELECT ${bucketOf(buckets)} AS bucket, ${fingerprintTerms(rows)} FROM ${hashedPart(part, rows)} GROUP BY 1`);
    for (const row of found) {
      const before = sums.get(row.bucket);
      const more = fingerprintOf(row);
      sums.set(row.bucket, before === undefined ? more : addFingerprints(before, more));
    }
  });
  return sums;
}

async function rowsInBuckets(
  comparison: Comparison,
  side: Side,
  table: ComparedTable,
  buckets: number,
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<FoundRow[]> {
  const found: FoundRow[] = [];
  const rows = { columns: table.columns, method: comparison.method, bits: 64 as const };
  const key = table.key.map(({ name }, index) => ({ name, alias: ident(`k${index}`) }));
  const keyColumns = key.map(({ name, alias }) => sql`t.${ident(name)} AS ${alias}`);
  const keyTexts = textsOf(key.map(({ alias }) => sql`r.${alias}`));
  await forEachPart(comparison, side, table, signal, async (part, session) => {
    found.push(
      ...(await session.query<FoundRow>(sql`
        SELECT r.h0::text AS hash, ${keyTexts} AS key FROM ${hashedPart(part, rows, keyColumns)}
        WHERE ${bucketOf(buckets)} = ANY (${wanted}::int[])`)),
    );
  });
  return found;
}

/** Every part of the table on that side, spread over the side's sessions. */
export async function forEachPart(
  comparison: Comparison,
  side: Side,
  table: ComparedTable,
  signal: AbortSignal,
  work: (part: HeapPart, session: Connection) => Promise<void>,
): Promise<void> {
  const sessions = comparison.sessions[side];
  const parts = heapParts(table.heaps[side], comparison.splits[side]);
  await inParallel(parts, sessions.connections.length, async (part, worker) => {
    signal.throwIfAborted();
    await sessions.look(worker, (session) => work(part, session));
  });
}
