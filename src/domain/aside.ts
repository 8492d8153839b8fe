/** Tables whose rows no link carries, and that are therefore copied in whole: unlogged ones, and extensions' own. */

import type { PlannedTable } from './plan.ts';

export interface AsideTable extends PlannedTable {
  /** `configuration`: belongs to an extension that says which of its rows are the user's. */
  readonly kind: 'unlogged' | 'configuration';
  /** The extension's own words for those rows, with WHERE in front; empty: all of them. */
  readonly condition: string;
  readonly extension: string | undefined;
  /** "schema.name" of every table that a foreign key of it points to. */
  readonly references: readonly string[];
  /** Has triggers that fire unless a session says that it replicates. */
  readonly hasTriggers: boolean;
  /** Our role may replace the rows. */
  readonly mayReplace: boolean;
}

/** Extensions that act on such rows as soon as they are there, or keep them in step with what only they can make. */
export const ROWS_NOT_FOR_US: Readonly<Record<string, string>> = {
  pg_cron: 'its jobs would run on both sides',
  timescaledb: 'they describe tables that only the extension can make',
  citus: 'they describe tables that only the extension can make',
  pglogical: 'they describe the nodes of its own replication',
  bdr: 'they describe the nodes of its own replication',
};
