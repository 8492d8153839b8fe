/** What a migration moves: decided at the first sync from the source's catalog, and held against it by what follows. */

import type { Side, TableName } from './names.ts';

/** A heap that holds rows: the table itself, or one leaf of a partition tree. */
export interface Heap extends TableName {
  /** pg_relation_size of the main fork plus TOAST. */
  readonly bytes: number;
  /** Main-fork blocks, for ctid ranges. */
  readonly blocks: number;
}

/** A table as the publication lists it: an ordinary table or the root of a partition tree (never a leaf). */
export interface LinkedTable extends TableName {
  readonly isPartitioned: boolean;
}

export interface PlannedTable extends LinkedTable {
  /** Columns that COPY and replication carry, in attnum order: not the generated ones, not the dropped ones. */
  readonly columns: readonly string[];
  readonly heaps: readonly Heap[];
  readonly rowEstimate: number;
  /** How UPDATE and DELETE find their row: `default` primary key, `index` a unique one, `full` the whole row, `none` not at all. */
  readonly replicaIdentity: 'default' | 'index' | 'full' | 'none';
  /** Rows written since the server's statistics began; undefined in plans of before this was read. */
  readonly writeCount?: number;
  /** What stays in one lane with it: a TRUNCATE ... CASCADE, or a trigger that fires for the apply worker, may touch both. */
  readonly tiedTo?: readonly TableName[];
  /** By which it is known again under another name. Undefined until both sides have it, and in plans of before this was read. */
  readonly oids?: Readonly<Record<Side, number>>;
}

export interface Plan {
  readonly tables: readonly PlannedTable[];
  readonly sequences: readonly TableName[];
  /** Seen and not carried, with the reason; shown by plan and report. */
  readonly notCarried: readonly { readonly object: string; readonly reason: string }[];
  /** In the lead database's plan: the databases that move together with it. None when not given. */
  readonly otherDatabases?: readonly string[];
}

export const tableBytes = (table: PlannedTable): number =>
  table.heaps.reduce((sum, heap) => sum + heap.bytes, 0);
