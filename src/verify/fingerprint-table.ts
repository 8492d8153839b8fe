/** The fingerprint of one table on one server, to hold against another one's. */

import type { TableName } from '../domain/names.ts';
import type { PlannedTable } from '../domain/plan.ts';
import type { Connection } from '../postgres/connection.ts';
import { comparedTables, readTableCatalog } from './compared-table.ts';
import {
  addFingerprints,
  type Bits,
  emptyFingerprint,
  fingerprintHex,
  fingerprintPart,
} from './fingerprint.ts';
import { readServerTraits, splitsHeaps } from './hash-method.ts';
import { heapParts } from './heap-part.ts';
import type { HashMethod } from './row-hash.ts';

export interface TableFingerprint {
  readonly rows: number;
  /** 16 hexadecimal digits, or 32 with 128 bits. */
  readonly fingerprint: string;
}

/**
 * Reads the table once, as the connection's transaction sees it. The session must be pinned with pinSession().
 * Comparable with another server's only if `method`, the columns and their types are the same:
 * hashes of rows as `record` need PostgreSQL 14 or newer on both.
 *
 * @throws {DifferenceError} `column_missing`
 */
export async function fingerprintTable(
  connection: Connection,
  table: TableName & Pick<PlannedTable, 'isPartitioned' | 'columns'>,
  options: { readonly method: HashMethod; readonly bits: Bits },
): Promise<TableFingerprint> {
  const catalog = await readTableCatalog(connection, [table]);
  const planned: PlannedTable = { ...table, heaps: [], rowEstimate: 0, replicaIdentity: 'none' };
  const [compared] = comparedTables([planned], { source: catalog, target: catalog });
  if (compared === undefined) throw new RangeError('No table');
  const splits = splitsHeaps(await readServerTraits(connection));
  let sum = emptyFingerprint(options.bits);
  for (const part of heapParts(compared.heaps.source, splits)) {
    sum = addFingerprints(
      sum,
      await fingerprintPart(connection, part, { columns: compared.columns, ...options }),
    );
  }
  return { rows: sum.rows, fingerprint: fingerprintHex(sum) };
}
