/** The two ends of a migration: `complete` gives up the way back, `abort` takes away everything we made. */

import { type LinkName, publisherOf, type Side, subscriberOf } from '../domain/names.ts';
import type { Plan } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import type { Connection } from '../postgres/connection.ts';
import { dropLane } from '../postgres/drop-lane.ts';
import { countRaisedFences, dropFence } from '../postgres/fence.ts';
import { dropHelperIndexes } from '../postgres/helper-index.ts';
import { existingLanes, hasOtherLinks } from '../postgres/lane.ts';
import { unlinkLargeObjects } from '../postgres/large-object.ts';
import { dropEventTriggers } from '../postgres/noted-ddl.ts';
import { sql } from '../postgres/sql.ts';
import { dropLoaded, findLoaded } from '../schema/drop-loaded.ts';
import { type ClusterChange, readClusterChanges } from '../state/cluster-change.ts';
import { createdRoles, dropOwned, dropRoles } from '../state/created-role.ts';
import { dropOwnSchema, tableExists } from '../state/install.ts';
import { sharedLargeObjects } from '../state/large-object.ts';
import { deleteMigration, describeOthers, otherMigrations, readMigration } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { broughtObjects } from '../state/schema-progress.ts';
import { takeProxyOut } from '../steps/take-proxy-out.ts';
import { recover } from './recover.ts';
import { requirePlan, requireRow } from './rows.ts';
import { mayRun, type Session } from './session.ts';

const LINKS: readonly LinkName[] = ['forward', 'reverse'];

export interface CompleteResult {
  /** The old server still refuses writes to the migrated tables. */
  readonly fenceKept: boolean;
}

/**
 * Irreversible: drops both links and what belongs to them. The fence on the old server stays unless asked otherwise,
 * because a client that still writes there would lose its writes without knowing.
 *
 * @throws {RefusedError} `wrong_phase`
 */
export async function complete(
  session: Session,
  options: { readonly dropFence: boolean },
): Promise<CompleteResult> {
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  await using traffic = session.openTraffic();
  await recover(session, traffic);
  const row = await session.row();
  if (mayRun('complete', row?.phase ?? 'new')) {
    const { activeSide } = await requireRow(session, 'complete');
    await leave(session, activeSide);
    for (const database of session.databases) await completeDatabase(database);
    if (options.dropFence) await dropSourceFences(session);
    await session.changePhase('switched', 'completed');
  } else if (options.dropFence) await dropSourceFences(session);
  return { fenceKept: await tableExists(session.source, 'installed') };
}

/** Also later than the rest: whoever kept it may think otherwise once no client goes to the old server any more. */
async function dropSourceFences(session: Session): Promise<void> {
  for (const database of session.databases) {
    const { plan } = await requirePlan(database);
    await dropFence(database.source, plan.tables);
    await dropOwnSchema(database.source);
  }
}

async function completeDatabase(session: Session): Promise<void> {
  const { plan } = await requirePlan(session);
  await dropLinks(session);
  for (const side of [session.source, session.target]) await dropEventTriggers(side);
  await dropHelperIndexes(session.target);
  await dropHelperIndexes(session.source);
  await dropFence(session.target, plan.tables);
}

export interface AbortResult {
  /** What was looked for and is still there, with the reason where one is known; empty: nothing is left. */
  readonly leftovers: readonly string[];
  /** There was nothing of this name here; what is there belongs to these: "shop (switched)". */
  readonly others?: readonly string[];
}

/**
 * Before the cutover only: everything we made goes, on both servers, the copied rows on the target included.
 * Says what is left after looking.
 */
export async function abort(session: Session): Promise<AbortResult> {
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  const row = await session.row();
  if (!mayRun('abort', row?.phase ?? 'new')) {
    for (const database of session.databases) await dropUnusedSchema(database);
    const others = row === undefined ? await describeOthers(session.target, session.migration) : [];
    if (others.length > 0) return { leftovers: [], others };
    return { leftovers: await lookForLeftovers(session) };
  }
  if (row?.switchover !== undefined) {
    await using traffic = session.openTraffic();
    await recover(session, traffic);
    mayRun('abort', (await session.row())?.phase ?? 'new');
  }
  await leave(session, 'source');
  // The lead's last, because its state is what tells the next run that there is more to do.
  const all = [...session.others, session];
  const kept: string[] = [];
  const roles = new Set<string>();
  const changes: ClusterChange[] = [];
  for (const database of all) {
    changes.push(...(await readClusterChanges(database.target, database.migration)));
    kept.push(...(await abortDatabase(database, roles)));
  }
  // Roles belong to the server: each may own something in every database.
  for (const database of session.others) await dropOwned(database.target, [...roles]);
  kept.push(...(await dropRoles(session.target, [...roles])));
  kept.push(...notTakenBack(changes, roles));
  for (const database of all) {
    if (!(await servesOthers('source', database))) await dropOwnSchema(database.source);
    if (await servesOthers('target', database)) await deleteMigration(database.target, database.migration);
    else await dropOwnSchema(database.target);
  }
  return { leftovers: [...kept, ...(await lookForLeftovers(session))] };
}

/** What was there before us and was made like the source's: what it was is not known any more. */
function notTakenBack(changes: readonly ClusterChange[], dropped: ReadonlySet<string>): string[] {
  const lasting = changes.filter(({ roles }) => !roles.some((role) => dropped.has(role)));
  return [...new Set(lasting.map(({ description }) => `target: not taken back: ${description}`))];
}

/** Another migration has a link or its history here, or has left its fence, raised, on tables of the source that are not ours. */
async function servesOthers(side: Side, session: Session): Promise<boolean> {
  const { migration } = session;
  const connection = session.side(side);
  if (await hasOtherLinks(connection, migration)) return true;
  return side === 'target'
    ? (await otherMigrations(connection, migration)).length > 0
    : (await tableExists(connection, 'installed')) && (await countRaisedFences(connection)) > 0;
}

/** A sync that was stopped at its very beginning has left our schema. Another migration may have its state in it. */
async function dropUnusedSchema({ source, target, migration }: Session): Promise<void> {
  if (await tableExists(target, 'migration')) {
    if ((await otherMigrations(target, migration)).length > 0) return;
  }
  for (const side of [target, source])
    if ((await tableExists(side, 'installed')) && (await isUnused(side))) await dropOwnSchema(side);
}

async function isUnused(connection: Connection): Promise<boolean> {
  const found = await connection.query(sql`
    SELECT FROM pg_publication WHERE starts_with(pubname, 'pgglide_')
    UNION ALL SELECT FROM pg_subscription
      WHERE starts_with(subname, 'pgglide_') AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT FROM pg_trigger WHERE tgname = 'pgglide_fence'`);
  return found.length === 0;
}

/** Before anything is dropped: where the application cannot be pointed at its database, all stays as it is. */
async function leave(session: Session, activeSide: Side): Promise<void> {
  const placement = session.placement();
  if (placement !== undefined) await reconcile(takeProxyOut, { ...session.context(), placement, activeSide });
}

/** @returns what could not be dropped */
async function abortDatabase(session: Session, roles: Set<string>): Promise<string[]> {
  await dropLinks(session);
  for (const role of await createdRoles(session.target, session.migration)) roles.add(role);
  const plan = (await readMigration(session.target, session.migration))?.plan;
  if (plan === undefined) return [];
  return (await dropCopy(session, plan)).map((what) => session.prefix + what);
}

async function dropLinks(session: Session): Promise<void> {
  for (const link of LINKS) {
    const publisher = session.side(publisherOf(link));
    const subscriber = session.side(subscriberOf(link));
    for (const lane of await existingLanes(publisher, session.migration, link))
      await dropLane(publisher, subscriber, lane);
  }
}

/** @returns what could not be dropped */
async function dropCopy(session: Session, plan: Plan): Promise<string[]> {
  const { source, target, migration } = session;
  await dropHelperIndexes(source);
  await dropFence(source, plan.tables);
  await unlinkLargeObjects(target, [...(await sharedLargeObjects(target, migration))]);
  // The fence of a table goes with it: one by one they would take as long as the tables again.
  const { droppable, heldBack, others } = await findLoaded(target, await broughtObjects(target, migration));
  const kept = await dropLoaded(target, droppable);
  await dropFence(target, plan.tables);
  return [...kept, ...heldBack.map((what) => `target: ${what}`), ...notOurs(others)];
}

const NAMED = 10;

/** They stay; one line, because they may be a whole database of another migration. */
function notOurs(others: readonly string[]): string[] {
  if (others.length === 0) return [];
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : '';
  return [`target: left, not ours: ${others.slice(0, NAMED).join(', ')}${more}`];
}

async function lookForLeftovers(session: Session): Promise<string[]> {
  const found = session.databases.flatMap((database) =>
    (['source', 'target'] as const).map(async (side) =>
      (await leftoversOn(side, database.side(side))).map((what) => database.prefix + what),
    ),
  );
  return (await Promise.all(found)).flat();
}

async function leftoversOn(side: Side, connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ what: string }>(sql`
    SELECT 'publication ' || pubname AS what FROM pg_publication WHERE starts_with(pubname, 'pgglide_')
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
      WHERE starts_with(subname, 'pgglide_') AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
      WHERE starts_with(slot_name, 'pgglide_') AND database = current_database()
    UNION ALL SELECT 'trigger pgglide_fence on ' || tgrelid::regclass FROM pg_trigger WHERE tgname = 'pgglide_fence'
    UNION ALL SELECT 'index ' || oid::regclass FROM pg_class WHERE relkind = 'i' AND starts_with(relname, 'pgglide_helper_')
    UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger WHERE starts_with(evtname, 'pgglide_')
    UNION ALL SELECT 'schema pgglide' FROM pg_namespace WHERE nspname = 'pgglide'`);
  return rows.map(({ what }) => `${side}: ${what}`);
}
