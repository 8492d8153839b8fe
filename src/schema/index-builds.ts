/** How large a table is to those who build its indexes, and how they build. Pure. */

import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import { ident } from '../postgres/sql.ts';
import type { RestoreTask } from './classify-restore.ts';
import type { BuildTuning } from './restore-stage.ts';

/** Quoted qualified name -> bytes, of tables and of the leaves of partition trees. */
export const tableSizes = (tables: readonly PlannedTable[]): ReadonlyMap<string, number> =>
  new Map(
    tables.flatMap((table): [string, number][] => [
      [ident(table.schema, table.name).text, tableBytes(table)],
      ...table.heaps.map(({ schema, name, bytes }): [string, number] => [ident(schema, name).text, bytes]),
    ]),
  );

/** Memory and parallel workers of one build. `helpers`: jobs that have nothing else to do meanwhile. */
export const buildTuning = (task: RestoreTask, helpers: number): BuildTuning => ({
  maintenanceMegabytes: maintenanceMegabytes(task, helpers),
  parallelWorkers: helpers,
});

/** Of the tasks of a stage, as one is begun. */
export interface Workload {
  readonly jobs: number;
  /** Begun and not ended, this one among them. */
  readonly running: number;
  /** Not begun yet, those among them whose table is still being copied. */
  readonly left: readonly RestoreTask[];
}

/**
 * Workers inside one build cost where other builds keep the jobs busy. But the last ones, or one that takes longer than
 * all that are left together, would each leave a job idle.
 */
export function helpersOf({ cost }: RestoreTask, { jobs, running, left }: Workload): number {
  if (jobs < 2) return 0;
  const costLeft = left.reduce((sum, task) => sum + task.cost, 0);
  const isOutlasting = cost > costLeft / (jobs - 1);
  return isOutlasting ? Math.max(1, jobs - running - left.length) : 0;
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
