/**
 * THE MAIN PATH. A migration goes
 *
 *   check -> sync (below) -> verify -> cutover -> [rollback <-> cutover] -> complete
 *
 * or `abort` at any time before the cutover. `sync` makes these steps true, in this order; each looks at the servers
 * first, so the same command after a crash goes on where it stopped. Cutover and rollback are in switchover.ts.
 */

import type { Step } from '../engine/step.ts';
import { analyzeTarget } from '../steps/analyze-target.ts';
import { buildHelperIndexes } from '../steps/build-helper-indexes.ts';
import { buildIndexes } from '../steps/build-indexes.ts';
import { carryAsideRows } from '../steps/carry-aside-rows.ts';
import { carryDatabaseSettings } from '../steps/carry-database-settings.ts';
import { carryLargeObjectsStep } from '../steps/carry-large-objects.ts';
import { carryRoles } from '../steps/carry-roles.ts';
import { catchUp } from '../steps/catch-up.ts';
import { copyTables } from '../steps/copy-tables.ts';
import { fenceTarget } from '../steps/fence-target.ts';
import { installOwnSchema } from '../steps/install-own-schema.ts';
import { loadSchema } from '../steps/load-schema.ts';
import { noteBroughtObjects } from '../steps/note-brought.ts';
import { noteDdl } from '../steps/note-ddl.ts';
import { noteRoles } from '../steps/note-roles.ts';
import { recordSchema } from '../steps/record-schema.ts';
import { refreshViews } from '../steps/refresh-views.ts';
import { subscribe } from '../steps/subscribe.ts';

/** Before anything else, because the plan and the journal are kept in it. */
export const FIRST_STEP = installOwnSchema;

/** What `sync` makes true, in order. After the last one the migration is `following`. */
export const SYNC_STEPS: readonly Step<never>[] = [
  carryRoles, // roles with their verifiers, memberships, settings
  noteRoles, // what their drift is measured against
  loadSchema, // types, tables without indexes, functions
  copyTables, // publication, slot with a snapshot, parallel COPY
  carryDatabaseSettings,
  buildIndexes, // keys, indexes, constraints, triggers
  buildHelperIndexes, // where a table without a key has none
  subscribe, // the target follows from the slot's position
  catchUp,
  carryAsideRows, // unlogged tables, extensions' own: what no link carries
  refreshViews, // materialized ones, once the rows are there
  carryLargeObjectsStep,
  noteBroughtObjects, // for abort, whatever they are called then
  noteDdl, // event triggers, where our role may
  recordSchema, // once both sides agree (settle-schema.ts): what drift is measured against
  fenceTarget, // the target takes no other writes
  analyzeTarget,
] as unknown as readonly Step<never>[];

/**
 * Before these the first sync looks what came to the source meanwhile, and makes the steps so far true for it, too
 * (extend-plan.ts): a new partition would stop the link, a new table is no drift.
 */
export const LOOKS_BEFORE: ReadonlySet<string> = new Set([subscribe.id, recordSchema.id]);
