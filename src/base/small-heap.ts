/** How much garbage may pile up before it is collected. The command line asks for little; a pause is not to be interrupted. */

import { setFlagsFromString } from 'node:v8';
import { collectGarbage } from './garbage.ts';

let isKeptSmall = false;

/**
 * Lets the garbage collector come earlier: with thousands of tables V8 would let the heap grow to several times of what is in
 * use, beside a database that wants the memory. What is in use, and how fast rows are copied (their bytes lie outside), stays.
 */
export function keepHeapSmall(): void {
  isKeptSmall = true;
  setFlagsFromString('--optimize-for-size');
}

/** Collects now and not soon again: for what must not be interrupted. How far the heap may grow is decided as it is collected. */
export function letHeapGrow(): void {
  if (isKeptSmall) setFlagsFromString('--no-optimize-for-size');
  collectGarbage();
}

/** Collects what was let grow. */
export function shrinkHeap(): void {
  if (isKeptSmall) setFlagsFromString('--optimize-for-size');
  collectGarbage();
}
