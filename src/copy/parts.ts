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
  /** Unique in the plan; a plan made anew may cut a heap elsewhere. */
  readonly id: string;
  readonly table: PlannedTable;
  readonly heap: Heap;
  readonly blocks?: BlockRange;
  /** Only these rows: SQL of an extension's own script, from WHERE on. */
  readonly condition?: string;
  readonly format: CopyFormat;
  /** Columns of char(n) that travel without their padding: in binary only. */
  readonly unpadded?: readonly string[];
  /** Foreign keys of other tables refer to it on the target: TRUNCATE is refused there, whether they hold rows or not. */
  readonly isReferenced?: boolean;
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

/** Parts of all tables, in the order in which workers should take them: largest table first, then ranges from its start. */
export function planParts(tables: readonly PlannedTable[], options: PartsOptions): CopyPart[] {
  const cutting = chooseCutting(tables, options);
  return tables
    .flatMap((table) => heapsOf(table).map((heap) => heapParts(table, heap, cutting, options)))
    .sort(([a], [b]) => (b?.heap.bytes ?? 0) - (a?.heap.bytes ?? 0))
    .flat();
}

/** A partition tree without leaves still gets its (empty) COPY, so that every table has a part and is reported as copied. */
function heapsOf(table: PlannedTable): readonly Heap[] {
  if (table.heaps.length > 0) return table.heaps;
  return [{ schema: table.schema, name: table.name, bytes: 0, blocks: 0 }];
}

/** Ranges smaller than this cost more in transactions than they gain in balance. */
const SMALLEST_RANGE_BYTES = 64 * 1024 * 1024;

interface Cutting {
  /** Heaps up to this size stay whole. */
  readonly wholeBytes: number;
  readonly rangeBytes: number;
}

/**
 * So many times what falls to each worker may be one heap: while one copies it, the others copy the rest and build its
 * indexes. Measured with one of 1.2 times: 29.7 s whole, 31.1 s in ranges.
 */
const WHOLE_SHARES = 1.25;

/**
 * A heap is cut only where one worker would otherwise work long after the others. Whole ones are dearer to have:
 * the source reads them through a small ring instead of its whole buffer cache, the target stores them frozen, so that
 * the build of their first index has nothing to write into them.
 */
function chooseCutting(tables: readonly PlannedTable[], options: PartsOptions): Cutting {
  const never = Number.POSITIVE_INFINITY;
  if (!options.mayUseRanges) return { wholeBytes: never, rangeBytes: never };
  if (options.jobs <= 1) return { wholeBytes: options.splitBytes, rangeBytes: options.splitBytes };
  const total = tables.flatMap((table) => table.heaps).reduce((sum, heap) => sum + heap.bytes, 0);
  const fairShare = total / options.jobs;
  return {
    wholeBytes: Math.min(options.splitBytes, Math.max(fairShare * WHOLE_SHARES, SMALLEST_RANGE_BYTES)),
    rangeBytes: Math.min(options.splitBytes, Math.max(fairShare / 4, SMALLEST_RANGE_BYTES)),
  };
}

function heapParts(table: PlannedTable, heap: Heap, cutting: Cutting, options: PartsOptions): CopyPart[] {
  const format = options.formatOf(table);
  // Not `<=`: with a number that is none (jobs, a size never read) the heap must still be copied.
  if (!(heap.bytes > cutting.wholeBytes && heap.blocks > 1))
    return [{ id: partId(table, heap), table, heap, format, bytes: heap.bytes }];
  const count = Math.min(Math.ceil(heap.bytes / cutting.rangeBytes), heap.blocks);
  const blocksEach = Math.ceil(heap.blocks / count);
  return Array.from({ length: Math.ceil(heap.blocks / blocksEach) }, (_, index) => {
    const from = index * blocksEach;
    const isLast = from + blocksEach >= heap.blocks;
    const blocks = isLast ? { from } : { from, to: from + blocksEach };
    const share = Math.min(blocksEach, heap.blocks - from) / heap.blocks;
    return {
      id: partId(table, heap, blocks),
      table,
      heap,
      blocks,
      format,
      bytes: Math.round(heap.bytes * share),
    };
  });
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
