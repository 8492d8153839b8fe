/** From two readings of a row to what a person is told. Pure. */

import type { ComparedTable } from './compared-table.ts';
import type { ReadRow } from './read-rows.ts';
import type { DifferingColumn, DifferingRow } from './verification.ts';

/** Undefined when both readings are equal, or neither side has the row. */
export function describeDifference(
  table: ComparedTable,
  key: readonly string[],
  source: ReadRow | undefined,
  target: ReadRow | undefined,
  copies = 1,
): DifferingRow | undefined {
  if (source?.hash === target?.hash) return undefined;
  const columns = table.columns.map(({ name }, index) => ({
    name,
    source: source?.values[index],
    target: target?.values[index],
  }));
  return {
    table: { schema: table.schema, name: table.name },
    key: table.key.map(({ name }, index) => ({ name, value: key[index] ?? '' })),
    copies,
    ...kindAndColumns(columns, source, target),
  };
}

function kindAndColumns(
  columns: readonly DifferingColumn[],
  source: ReadRow | undefined,
  target: ReadRow | undefined,
): Pick<DifferingRow, 'kind' | 'columns'> {
  if (target === undefined) return { kind: 'missing-on-target', columns };
  if (source === undefined) return { kind: 'missing-on-source', columns };
  return { kind: 'changed', columns: columns.filter((column) => column.source !== column.target) };
}
