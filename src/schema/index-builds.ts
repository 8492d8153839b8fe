/** How large a table is to those who build its indexes, and how they build. Pure. */

import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import { ident } from '../postgres/sql.ts';
import type { RestoreTask } from './classify-restore.ts';
import type { RestoreTuning } from './restore-stage.ts';

/** Quoted qualified name -> bytes, of tables and of the leaves of partition trees. */
export const tableSizes = (tables: readonly PlannedTable[]): ReadonlyMap<string, number> =>
  new Map(
    tables.flatMap((table): [string, number][] => [
      [ident(table.schema, table.name).text, tableBytes(table)],
      ...table.heaps.map(({ schema, name, bytes }): [string, number] => [ident(schema, name).text, bytes]),
    ]),
  );

/** With enough builds to keep the jobs busy, workers inside one build only cost. */
export function indexTuning(builds: number, jobs: number): RestoreTuning {
  const workers = builds >= jobs ? 0 : 2;
  return {
    maintenanceMegabytes: (task) => maintenanceMegabytes(task, workers),
    maxParallelMaintenanceWorkers: workers,
  };
}

const MB = 1024 * 1024;

/** Hash joins of foreign keys, and methods that build in memory what they cannot sort (gin, gist, ...). */
const MOST_MEGABYTES = 512;

/** Less, and the server starts no parallel worker: it wants so much for each participant. */
const SMALLEST_SORT_MEGABYTES = 32;

/** Of each run that it merges the server keeps so much in memory (tuplesort.c: 32 blocks, and one to write). */
const RUN_BUFFER_BYTES = 33 * 8192;

/**
 * A btree is built by sorting, and small runs that are merged cost less CPU than one large sort: they fit the processor's
 * cache, and no fresh memory has to be asked for. Just enough runs, however, that one merge does for all of them: with
 * `m` bytes there are `table / m` runs (an index is no larger), of which `m / buffer` can be merged at once.
 */
function maintenanceMegabytes({ statement, cost }: RestoreTask, workers: number): number {
  if (!isBtree(statement.sql)) return MOST_MEGABYTES;
  const sort = Math.max(SMALLEST_SORT_MEGABYTES, Math.sqrt(cost * RUN_BUFFER_BYTES) / MB);
  return Math.min(MOST_MEGABYTES, Math.ceil(sort * (workers + 1)));
}

/** As written by pg_dump, and by splitKeys. */
const isBtree = (statement: string): boolean =>
  /^CREATE (?:UNIQUE )?INDEX .* USING "?btree"? \(/m.test(statement) ||
  /^ {4}ADD CONSTRAINT .* (?:PRIMARY KEY|UNIQUE) /m.test(statement);
