/** `sync` while the target is active: what was made on both sides since the cutover joins the way back, with its
 * rows; roles of the target come to the source. */

import { qualified, type TableName } from '../domain/names.ts';
import { type PlannedTable, tableBytes } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import { hangFence, unfencedRelations } from '../postgres/fence.ts';
import { planTables } from '../schema/plan-tables.ts';
import { unlinkedTables } from '../schema/unlinked-tables.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import { carryRolesBack } from '../steps/carry-roles-back.ts';
import { joinReturnLink } from '../steps/join-return-link.ts';
import { noteDdl } from '../steps/note-ddl.ts';
import { noteRolesOfTarget } from '../steps/note-roles.ts';
import { naming } from './each-database.ts';
import { assertIdentified } from './extend-plan.ts';
import { refuseStrayRows } from './refuse-stray-rows.ts';
import { keepPlan, type PlanNow, planNow } from './renew-plan.ts';
import { requireSlots, reviveLink } from './revive-link.ts';
import { requirePlan, type Standing } from './rows.ts';
import type { Session } from './session.ts';
import { settleSchema } from './settle-schema.ts';
import { arrival } from './verify.ts';

/**
 * The plan is saved before anything is published: what a link carries and no plan knows would pass a switch without barrier,
 * fence and comparison. Killed anywhere, the same command goes on, and a rollback refuses until it has.
 *
 * @throws {DifferenceError} `schema_differs`: it is not on both sides yet
 * @throws {PrerequisiteError} `new_table_without_identity`, `table_renamed`, `role_statement_failed`
 * @throws {RefusedError} `rows_on_passive_side`
 * @throws {ReplicationError} `slot_lost`, `publisher_went_back`, `join_stopped`, `link_too_slow`
 */
export async function joinWayBack(session: Session, row: MigrationRow): Promise<void> {
  for (const database of session.databases) await naming(database.prefix, () => joinRoles(database));
  for (const database of session.databases) await naming(database.prefix, () => joinDatabase(database, row));
}

/** First: tables that are to be made on the source by hand are granted to them. */
async function joinRoles(session: Session): Promise<void> {
  const context = session.context((await requirePlan(session)).plan);
  await reconcile(carryRolesBack, context);
  await reconcile(noteRolesOfTarget, context);
}

/** A rollback waits for so much on its own; for more its caller decides, with a sync. */
const SMALL_BYTES = 64 * 1024 * 1024;

/** Before anything of a rollback is done. Of what is not joined `check-readiness` tells. @throws as `joinWayBack` */
export async function joinIfSmall(session: Session, lead: Standing): Promise<void> {
  const { tables } = (await requirePlan(session)).plan;
  const unlinked = new Set((await unlinkedByWayBack(session, tables)).map(qualified));
  if (unlinked.size === 0) return;
  const onTarget = await planTables(session.target, session.settings.scope);
  const joining = onTarget.tables.filter((table) => unlinked.has(qualified(table)));
  if (joining.reduce((sum, table) => sum + tableBytes(table), 0) > SMALL_BYTES) return;
  await naming(session.prefix, () => joinDatabase(session, lead));
}

async function joinDatabase(session: Session, lead: Standing): Promise<void> {
  const { source, target } = session;
  const { plan: saved } = await requirePlan(session);
  await requireSlots(session, lead);
  await reviveLink(session, lead);
  await reconcile(noteDdl, session.context(saved));
  await settleSchema(session.context(saved));
  const now = await planNow(session, saved);
  const joining = await joiningTables(session, now);
  await assertPublishable(session, joining);
  await refuseStrayRows(session, 'source', joining);
  const known = new Set(now.plan.tables.map(qualified));
  const added = joining.filter((table) => !known.has(qualified(table)));
  const plan = { ...now.plan, tables: [...now.plan.tables, ...added] };
  await hangFence(source, await unfencedRelations(source, plan.tables));
  await target.transaction(() => keepPlan(session, plan, now.renamed));
  if (joining.length === 0) return;
  // What was written to a table that is gone is not to come into the one that has its name now.
  await (await arrival(session, 'target'))();
  await reconcile(joinReturnLink, { ...session.context(plan), joining });
}

/** Of both sides, in today's scope, and not followed. */
async function joiningTables(session: Session, now: PlanNow): Promise<PlannedTable[]> {
  const names = new Set((await unlinkedByWayBack(session, now.plan.tables)).map(qualified));
  return [...now.plan.tables, ...now.added].filter((table) => names.has(qualified(table)));
}

const unlinkedByWayBack = (
  { source, target, migration, settings }: Session,
  tables: readonly TableName[],
): Promise<TableName[]> =>
  unlinkedTables({ migration, from: 'target', oldSide: target, newSide: source, settings, tables });

/** By what the target says: it is there that UPDATE and DELETE would fail. */
async function assertPublishable(
  { target, settings }: Session,
  joining: readonly PlannedTable[],
): Promise<void> {
  if (joining.length === 0) return;
  const { tables } = await planTables(target, settings.scope);
  await assertIdentified(target, settings.scope, tables, joining);
}
