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

/**
 * Collects now and not soon again: for what must not be interrupted. V8 decides as it collects how far the heap may grow until
 * the next time; left to itself it allows little after many short collections, and came twice in a pause of 10,000 tables.
 */
export function letHeapGrow(): void {
  if (isKeptSmall) setFlags('--no-optimize-for-size', '--heap-growing-percent=300');
  collectGarbage();
}

/** Collects what was let grow. */
export function shrinkHeap(): void {
  if (isKeptSmall) setFlags('--optimize-for-size', '--heap-growing-percent=0');
  collectGarbage();
}

function setFlags(...flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
}
