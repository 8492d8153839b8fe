/** Rights as a table of `kubectl auth can-i`'s words. Pure. */

import { describeRight } from '../right.ts';
import type { AccessRight } from './render-access.ts';

export interface CheckedRight extends AccessRight {
  readonly allowed: boolean;
}

export function rightsText(rights: readonly CheckedRight[], sign: (ok: boolean) => string): string {
  const rows = rights.map((right) => [sign(right.allowed), describeRight(right), right.why]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
}
