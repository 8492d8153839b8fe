/** How large a table is to those who build its indexes, and how they build. Pure. */

import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import { ident } from '../postgres/sql.ts';
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
export const indexTuning = (builds: number, jobs: number): RestoreTuning => ({
  maintenanceWorkMem: '512MB',
  maxParallelMaintenanceWorkers: builds >= jobs ? 0 : 2,
});
