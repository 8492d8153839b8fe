/** A copy of everything in a test's source database, inside a fresh snapshot. */

import { type CopyOptions, type CopyResult, copyParts } from '../../src/copy/copy-tables.ts';
import type { CopyPart } from '../../src/copy/parts.ts';
import { planCopy } from '../../src/copy/plan-copy.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { exportSnapshot } from '../../src/postgres/snapshot.ts';
import { planTables } from '../../src/schema/plan-tables.ts';
import type { Database } from './database.ts';

export interface CopyBed extends AsyncDisposable {
  readonly parts: readonly CopyPart[];
  /** Ids of the parts given to recordParts, in transactions that may since have failed. */
  readonly recorded: string[];
  run(options?: Partial<CopyOptions>): Promise<CopyResult>;
}

/** Plans and takes the snapshot now; the copy begins with run(). Two jobs unless told otherwise. */
export async function copyBed(
  source: Pick<Database, 'address' | 'connection'>,
  target: Pick<Database, 'address' | 'connection'>,
  { splitBytes = 1e12 } = {},
): Promise<CopyBed> {
  const holder = await Connection.open(source.address, { purpose: 'test snapshot' });
  const snapshot = await exportSnapshot(holder);
  // Not in the snapshot's transaction, which would keep the locks of that on partitions.
  const { tables } = await planTables(source.connection);
  const parts = await planCopy(source.connection, target.connection, tables, { jobs: 2, splitBytes });
  const recorded: string[] = [];
  return {
    parts,
    recorded,
    run: (options = {}) =>
      copyParts({
        source: source.address,
        target: target.address,
        snapshot,
        parts,
        jobs: () => 2,
        recordParts: async (_, done) => {
          recorded.push(...done.map(({ part }) => part.id));
        },
        ...options,
      }),
    [Symbol.asyncDispose]: () => holder.close(),
  };
}
