/** What both modes of verification need to know before the first row is read. */

import { DifferenceError } from '../domain/errors.ts';
import type { VerificationTable } from '../domain/event.ts';
import { qualified, SIDES } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import type { TableComparison } from './compare-tables.ts';
import { type ComparedTable, comparedTables, missingTables, readTableCatalog } from './compared-table.ts';
import { fingerprintHex } from './fingerprint.ts';
import { chooseHashMethod, splitsHeaps, traitsOfBoth } from './hash-method.ts';
import type { HashMethod } from './row-hash.ts';

export interface ServerPair {
  readonly method: HashMethod;
  readonly splits: BothSides<boolean>;
}

export async function readServerPair(connections: BothSides<Connection>): Promise<ServerPair> {
  const traits = await traitsOfBoth(connections);
  const splits = { source: splitsHeaps(traits.source), target: splitsHeaps(traits.target) };
  return { method: chooseHashMethod(traits), splits };
}

/** @throws {DifferenceError} `table_missing`, `column_missing` */
export async function readComparedTables(
  connections: BothSides<Connection>,
  tables: readonly PlannedTable[],
): Promise<ComparedTable[]> {
  const catalogs = await onBothSides((side) => readTableCatalog(connections[side], tables));
  for (const side of SIDES) {
    const missing = missingTables(tables, catalogs[side]).map(qualified);
    if (missing.length === 0) continue;
    throw new DifferenceError('table_missing', `Not on the ${side}: ${missing.join(', ')}`, {
      hint: 'The schema changed after the sync. Make the same change on the other side, then verify again.',
      facts: { side, tables: missing },
    });
  }
  return comparedTables(tables, catalogs);
}

export const summaryOf = ({ table, equal, fingerprints, ms }: TableComparison): VerificationTable => ({
  table: qualified(table),
  equal,
  sourceRows: fingerprints.source.rows,
  targetRows: fingerprints.target.rows,
  fingerprint: fingerprintHex(fingerprints.source),
  ms,
});
