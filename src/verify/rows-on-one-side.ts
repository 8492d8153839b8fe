/** Rows that one side alone has, for people. Pure. */

import { otherSide, qualified, SIDES, type Side } from '../domain/names.ts';
import type { DifferingRow } from './verification.ts';

/** Whether `side` alone has it. */
export const isOnlyOn = (side: Side, { kind }: DifferingRow): boolean =>
  kind === `missing-on-${otherSide(side)}`;

/** "public.p: 2 rows only on the target", of those that were found: a verification shows the first ones. */
export function rowsOnOneSide(rows: readonly DifferingRow[]): string[] {
  const counts = new Map<string, { side: Side; table: string; rows: number }>();
  for (const row of rows) {
    const side = SIDES.find((each) => isOnlyOn(each, row));
    if (side === undefined) continue;
    const table = (row.database === undefined ? '' : `${row.database}.`) + qualified(row.table);
    const seen = counts.get(`${side} ${table}`)?.rows ?? 0;
    counts.set(`${side} ${table}`, { side, table, rows: seen + row.copies });
  }
  return [...counts.values()].map(
    ({ side, table, rows: count }) => `${table}: ${count} row${count === 1 ? '' : 's'} only on the ${side}`,
  );
}
