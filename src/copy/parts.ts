/** Which pieces the bulk copy is made of, and in which order workers take them. Pure. */

import type { Heap, PlannedTable } from '../domain/plan.ts';

export type CopyFormat = 'binary' | 'text';

/** A range of heap blocks; without `to` it reaches to the end, so that blocks added since the plan are not missed. */
export interface BlockRange {
  readonly from: number;
  readonly to?: number;
}

/** One COPY: a whole heap or one block range of it, into its table (the root, for a partition tree). */
export interface CopyPart {
  /** Unique in the plan and the same in every run. */
  readonly id: string;
  readonly table: PlannedTable;
  readonly heap: Heap;
  readonly blocks?: BlockRange;
  readonly format: CopyFormat;
  /** Size on the source's disk, for ordering and progress. */
  readonly bytes: number;
}

export interface PartsOptions {
  readonly jobs: number;
  /** No part is larger than this. */
  readonly splitBytes: number;
  /** False before PostgreSQL 14, which reads a whole heap to find one ctid range. */
  readonly mayUseRanges: boolean;
  readonly formatOf: (table: PlannedTable) => CopyFormat;
}

/** Ranges smaller than this cost more in transactions than they gain in balance. */
const SMALLEST_RANGE_BYTES = 64 * 1024 * 1024;

/** Parts of all tables, in the order in which workers should take them: largest table first, then ranges from its start. */
export function planParts(tables: readonly PlannedTable[], options: PartsOptions): CopyPart[] {
  const rangeBytes = chooseRangeBytes(tables, options);
  return tables
    .flatMap((table) => heapsOf(table).map((heap) => heapParts(table, heap, rangeBytes, options)))
    .sort(([a], [b]) => (b?.heap.bytes ?? 0) - (a?.heap.bytes ?? 0))
    .flat();
}

/** A partition tree without leaves still gets its (empty) COPY, so that every table has a part and is reported as copied. */
function heapsOf(table: PlannedTable): readonly Heap[] {
  if (table.heaps.length > 0) return table.heaps;
  return [{ schema: table.schema, name: table.name, bytes: 0, blocks: 0 }];
}

/** Heaps are only cut where one worker would otherwise finish long after the others. */
function chooseRangeBytes(tables: readonly PlannedTable[], options: PartsOptions): number {
  if (!options.mayUseRanges) return Number.POSITIVE_INFINITY;
  const total = tables.flatMap((table) => table.heaps).reduce((sum, heap) => sum + heap.bytes, 0);
  const fairShare = total / (4 * Math.max(1, options.jobs));
  const forBalance = options.jobs > 1 ? Math.max(fairShare, SMALLEST_RANGE_BYTES) : Number.POSITIVE_INFINITY;
  return Math.min(options.splitBytes, forBalance);
}

function heapParts(table: PlannedTable, heap: Heap, rangeBytes: number, options: PartsOptions): CopyPart[] {
  const format = options.formatOf(table);
  const count = Math.min(Math.ceil(heap.bytes / rangeBytes), Math.max(1, heap.blocks));
  if (!(count > 1)) return [{ id: partId(table, heap), table, heap, format, bytes: heap.bytes }];
  const blocksEach = Math.ceil(heap.blocks / count);
  return Array.from(
    { length: Math.ceil(heap.blocks / blocksEach) },
    (_, index, starts = index * blocksEach) => {
      const isLast = starts + blocksEach >= heap.blocks;
      const blocks = isLast ? { from: starts } : { from: starts, to: starts + blocksEach };
      const share = Math.min(blocksEach, heap.blocks - starts) / heap.blocks;
      const bytes = Math.round(heap.bytes * share);
      return { id: partId(table, heap, blocks), table, heap, blocks, format, bytes };
    },
  );
}

/** JSON, because names may hold any character that one would join with. */
const partId = (table: PlannedTable, heap: Heap, blocks?: BlockRange): string =>
  JSON.stringify([
    table.schema,
    table.name,
    heap.schema,
    heap.name,
    ...(blocks ? [blocks.from, blocks.to ?? null] : []),
  ]);
