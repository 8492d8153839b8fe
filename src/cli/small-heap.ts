import { setFlagsFromString } from 'node:v8';

/**
 * Lets the garbage collector come earlier: with thousands of tables V8 would let the heap grow to several times of what is in
 * use, beside a database that wants the memory. What is in use, and how fast rows are copied (their bytes lie outside), stays.
 */
export const keepHeapSmall = (): void => setFlagsFromString('--optimize-for-size');
