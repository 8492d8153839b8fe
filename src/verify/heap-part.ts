/** Heaps in parts of bounded size, so that both sides keep several sessions busy and a stop is heeded soon. Pure. */

import type { TableName } from '../domain/names.ts';
import type { Heap } from '../domain/plan.ts';
import { ident, literal, type Sql, sql } from '../postgres/sql.ts';

/** Blocks [fromBlock, toBlock) of a heap; no end means to the end of the heap, however much it grew. */
export interface HeapPart {
  readonly heap: TableName;
  readonly fromBlock: number;
  readonly toBlock: number | undefined;
  /** The heap had no block when its size was read: no snapshot of before shows a row of it, whatever becomes of it. */
  readonly isEmptyFile: boolean;
}

/** 64 MB: about 0.3 s of work. */
const BLOCKS_A_PART = 8_192;

/**
 * Parts need not match the other side's: fingerprints of parts add up to the table's, whatever the parts.
 * `splits` is false before PostgreSQL 14, which would read the whole heap for each part.
 */
export function heapParts(heaps: readonly Heap[], splits: boolean): HeapPart[] {
  return heaps.flatMap((heap) => {
    const parts = splits ? Math.max(1, Math.ceil(heap.blocks / BLOCKS_A_PART)) : 1;
    return Array.from({ length: parts }, (_, part) => ({
      heap: { schema: heap.schema, name: heap.name },
      fromBlock: part * BLOCKS_A_PART,
      toBlock: part === parts - 1 ? undefined : (part + 1) * BLOCKS_A_PART,
      isEmptyFile: heap.blocks === 0,
    }));
  });
}

const isWhole = (part: HeapPart): boolean => part.fromBlock === 0 && part.toBlock === undefined;

/**
 * Whether what was read of a part is all that the snapshot shows only if the heap still has the snapshot's file. Ranges of
 * two files miss rows and repeat others. A whole heap that gave rows gave all of them: VACUUM FULL and CLUSTER keep what a
 * snapshot sees. One that gave none may have been written anew by ALTER TABLE.
 */
export const restsOnItsFile = (part: HeapPart, rows: number): boolean =>
  !isWhole(part) || (rows === 0 && !part.isEmptyFile);

/** FROM and WHERE of a part, the heap named t. ONLY: the children of an inheritance parent are tables of their own. */
export function fromPart(part: HeapPart): Sql {
  const from = sql`FROM ONLY ${ident(part.heap.schema, part.heap.name)} AS t`;
  if (isWhole(part)) return from;
  const block = (number: number) => sql`${literal(`(${number},0)`)}::tid`;
  const lower = sql`${from} WHERE t.ctid >= ${block(part.fromBlock)}`;
  return part.toBlock === undefined ? lower : sql`${lower} AND t.ctid < ${block(part.toBlock)}`;
}
