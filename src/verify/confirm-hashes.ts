/** As confirm-rows.ts, for tables without a key: rows are known by their content, so what is compared is how often it occurs. */

import type { Side } from '../domain/names.ts';
import { sql } from '../postgres/sql.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import type { Comparison } from './compare-tables.ts';
import type { ComparedTable } from './compared-table.ts';
import { forEachPart } from './differing-rows.ts';
import { hashedPart } from './fingerprint.ts';
import { describeByHash } from './locate-differences.ts';
import type { DifferingRow } from './verification.ts';

export interface ConfirmedHashes {
  readonly differing: readonly DifferingRow[];
  readonly unsettled: number;
}

const ROUNDS = 3;
type Counts = ReadonlyMap<string, number>;

/** Counts the rows with these hashes in new snapshots, one scan of the table a round. Leaves the sessions unpinned. */
export async function confirmHashes(
  comparison: Comparison,
  table: ComparedTable,
  hashes: readonly string[],
  options: { waitForArrival: () => Promise<void>; publisher: Side; limit: number },
): Promise<ConfirmedHashes> {
  let open = hashes;
  let before: Counts | undefined;
  for (let round = 1; open.length > 0; round += 1) {
    comparison.signal?.throwIfAborted();
    await options.waitForArrival();
    await onBothSides((side) => comparison.sessions[side].pin());
    try {
      const counts = await onBothSides((side, signal) => countHashes(comparison, side, table, open, signal));
      open = open.filter((hash) => countOf(counts.source, hash) !== countOf(counts.target, hash));
      if (round === ROUNDS) return await conclude(comparison, table, open, counts, before, options);
      before = counts[options.publisher];
    } finally {
      await onBothSides((side) => comparison.sessions[side].unpin());
    }
  }
  return { differing: [], unsettled: 0 };
}

const countOf = (counts: Counts, hash: string): number => counts.get(hash) ?? 0;

/** What stayed different while the publisher's count stood still is real; what moves on the publisher cannot be told. */
async function conclude(
  comparison: Comparison,
  table: ComparedTable,
  open: readonly string[],
  counts: BothSides<Counts>,
  before: Counts | undefined,
  options: { publisher: Side; limit: number },
): Promise<ConfirmedHashes> {
  const still = open.filter(
    (hash) => before !== undefined && countOf(before, hash) === countOf(counts[options.publisher], hash),
  );
  const surplus = (these: Counts, those: Counts) =>
    new Map(
      still.flatMap((hash): [string, number][] => {
        const more = countOf(these, hash) - countOf(those, hash);
        return more > 0 ? [[hash, more]] : [];
      }),
    );
  const both = {
    source: surplus(counts.source, counts.target),
    target: surplus(counts.target, counts.source),
  };
  return {
    differing: await describeByHash(comparison, table, both, options.limit),
    unsettled: open.length - still.length,
  };
}

async function countHashes(
  comparison: Comparison,
  side: Side,
  table: ComparedTable,
  hashes: readonly string[],
  signal: AbortSignal,
): Promise<Counts> {
  const counts = new Map<string, number>();
  const rows = { columns: table.columns, method: comparison.method, bits: 64 as const };
  await forEachPart(comparison, side, table, signal, async (part, session) => {
    const found = await session.query<{ hash: string; count: number }>(sql`
      SELECT r.h0::text AS hash, count(*) AS count FROM ${hashedPart(part, rows)}
      WHERE r.h0 = ANY (${hashes}::bigint[]) GROUP BY 1`);
    for (const { hash, count } of found) counts.set(hash, countOf(counts, hash) + count);
  });
  return counts;
}
