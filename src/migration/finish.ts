/** The two ends of a migration: `complete` gives up the way back, `abort` takes away everything we made. */

import { type LinkName, publisherOf, SIDES, type Side, subscriberOf } from '../domain/names.ts';
import { reconcile } from '../engine/reconcile.ts';
import { dropHalfLinks } from '../postgres/drop-half-link.ts';
import { dropLane } from '../postgres/drop-lane.ts';
import { countRaisedFences, dropAllFences } from '../postgres/fence.ts';
import { dropHelperIndexes } from '../postgres/helper-index.ts';
import { existingLanes, hasOtherLinks } from '../postgres/lane.ts';
import { unlinkLargeObjects } from '../postgres/large-object.ts';
import { hasLinkOrFence, leftoversOn } from '../postgres/leftovers.ts';
import { dropEventTriggers } from '../postgres/noted-ddl.ts';
import { dropLoaded, findLoaded } from '../schema/drop-loaded.ts';
import { lastingChanges, type NotedObject } from '../schema/loaded-objects.ts';
import { type ClusterChange, readClusterChanges } from '../state/cluster-change.ts';
import { createdRoles, dropOwned, dropRoles } from '../state/created-role.ts';
import { dropOwnSchema, tableExists } from '../state/install.ts';
import { sharedLargeObjects } from '../state/large-object.ts';
import { deleteMigration, describeOthers, otherMigrations, readMigration } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { broughtObjects } from '../state/schema-progress.ts';
import { takeProxyOut } from '../steps/take-proxy-out.ts';
import { requireOpenDoor } from './closed-door.ts';
import { naming } from './each-database.ts';
import { requireNoneToLose } from './guard-verified.ts';
import { requirePrimaries } from './primaries.ts';
import { recover } from './recover.ts';
import { requireRow } from './rows.ts';
import { mayRun, type Session } from './session.ts';
import { requireNotGoneBack } from './went-back.ts';

const LINKS: readonly LinkName[] = ['forward', 'reverse'];

export interface CompleteOptions {
  readonly dropFence: boolean;
  /** Although the last verification found differences, or the target has gone back in time. */
  readonly unverified?: boolean;
}

export interface CompleteResult {
  /** The old server still refuses writes to the migrated tables. */
  readonly fenceKept: boolean;
}

/**
 * Irreversible: drops both links and what belongs to them. The fence on the old server stays unless asked otherwise,
 * because a client that still writes there would lose its writes without knowing.
 *
 * @throws {RefusedError} `wrong_phase`, `not_verified`
 * @throws {ReplicationError} `publisher_went_back`
 */
export async function complete(session: Session, options: CompleteOptions): Promise<CompleteResult> {
  await takeRunnerLock(session.target, session.migration);
  await session.openJournal();
  await using traffic = session.openTraffic();
  await recover(session, traffic);
  const row = await session.row();
  if (mayRun('complete', row?.phase ?? 'new')) {
    const { activeSide } = await requireRow(session, 'complete');
    requirePrimaries(session);
    if (!options.unverified) await requireNothingToLose(session, activeSide);
    await leave(session, activeSide);
    // All that waits for locks of the application first: where one cannot be had, the way back is still there.
    for (const database of session.databases) await freeActiveSide(database);
    for (const database of session.databases) await dropLinks(database);
    for (const database of session.databases) await dropHelperIndexes(database.source);
    if (options.dropFence) await dropSourceFences(session);
    await session.changePhase('switched', 'completed');
  } else if (options.dropFence) await dropSourceFences(session);
  return { fenceKept: (await countRaisedFences(session.source)) > 0 };
}

/** What the target is known to lack, or lacks for certain because it has gone back. */
async function requireNothingToLose(session: Session, activeSide: Side): Promise<void> {
  await requireNoneToLose(session);
  for (const database of session.databases)
    await naming(database.prefix, () => requireNotGoneBack(database, activeSide));
}

/** Also later than the rest: whoever kept it may think otherwise once no client goes to the old server any more. */
async function dropSourceFences(session: Session): Promise<void> {
  for (const database of session.databases) {
    await dropAllFences(database.source);
    if (!(await holdsOthersRecord('source', database))) await dropOwnSchema(database.source);
  }
}

/** A switch hangs the fence again, and builds the indexes. */
async function freeActiveSide({ source, target }: Session): Promise<void> {
  await dropAllFences(target);
  await dropHelperIndexes(target);
  for (const side of [source, target]) await dropEventTriggers(side);
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
  requirePrimaries(session);
  await requireOpenDoor(session);
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
  for (const database of all) kept.push(...(await schemaNotTakenBack(database)));
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

/** The same of schema public and the like. After the roles: what was theirs by default goes with them. */
async function schemaNotTakenBack({ target, migration, prefix }: Session): Promise<string[]> {
  const { dumped } = await broughtObjects(target, migration);
  const changes = await lastingChanges(target, dumped);
  return changes.map((change) => `${prefix}target: not taken back: ${change}`);
}

/** As much of a session as is left where one server is lost. */
type Place = Pick<Session, 'migration' | 'side'>;

/** Another migration has a link or its record here, or has left its fence, raised, on tables of the source that are not ours. */
export async function servesOthers(side: Side, session: Place): Promise<boolean> {
  const connection = session.side(side);
  return (
    (await hasOtherLinks(connection, session.migration)) ||
    (await holdsOthersRecord(side, session)) ||
    (side === 'source' && (await countRaisedFences(connection)) > 0)
  );
}

/** Of a migration that has made this side what it is: the source is the target of an earlier upgrade, whatever that was called. */
async function holdsOthersRecord(side: Side, session: Place): Promise<boolean> {
  const own = side === 'target' ? session.migration : '';
  return (await otherMigrations(session.side(side), own)).length > 0;
}

/** A sync that was stopped at its very beginning has left our schema. Another migration may have its record in it. */
async function dropUnusedSchema(session: Session): Promise<void> {
  for (const side of SIDES) {
    const connection = session.side(side);
    if (!(await tableExists(connection, 'installed')) || (await hasLinkOrFence(connection))) continue;
    if (!(await holdsOthersRecord(side, session))) await dropOwnSchema(connection);
  }
}

/** Before anything is dropped: where the application cannot be pointed at its database, all stays as it is. */
async function leave(session: Session, activeSide: Side): Promise<void> {
  const placement = session.placement();
  if (placement !== undefined) await reconcile(takeProxyOut, { ...session.context(), placement, activeSide });
}

/** @returns what could not be dropped */
async function abortDatabase(session: Session, roles: Set<string>): Promise<string[]> {
  await dropLinks(session);
  for (const side of SIDES) await dropEventTriggers(session.side(side));
  for (const role of await createdRoles(session.target, session.migration)) roles.add(role);
  const plan = (await readMigration(session.target, session.migration))?.plan;
  if (plan === undefined) return [];
  return (await dropCopy(session)).map((what) => session.prefix + what);
}

async function dropLinks(session: Session): Promise<void> {
  for (const link of LINKS) {
    const publisher = session.side(publisherOf(link));
    const subscriber = session.side(subscriberOf(link));
    for (const lane of await existingLanes(publisher, session.migration, link))
      await dropLane(publisher, subscriber, lane);
  }
  // A lane is known by its publication: one whose publisher was restored from a backup may know nothing of it.
  for (const side of SIDES) await dropHalfLinks(session.side(side), session.migration);
}

/** @returns what could not be dropped */
async function dropCopy({ source, target, migration }: Session): Promise<string[]> {
  await dropHelperIndexes(source);
  // Ours is lifted while the source is active: a raised one is what an earlier migration has left.
  if ((await countRaisedFences(source)) === 0) await dropAllFences(source);
  await unlinkLargeObjects(target, [...(await sharedLargeObjects(target, migration))]);
  // The fence of a table goes with it: one by one they would take as long as the tables again.
  const { droppable, heldBack, others } = await findLoaded(
    target,
    await broughtObjects<NotedObject>(target, migration),
  );
  const kept = await dropLoaded(target, droppable);
  await dropAllFences(target);
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
    SIDES.map(async (side) => (await leftoversOf(side, database)).map((what) => database.prefix + what)),
  );
  return (await Promise.all(found)).flat();
}

/** The schema stays for the record of others. */
export async function leftoversOf(side: Side, session: Place): Promise<string[]> {
  const records = await holdsOthersRecord(side, session);
  return (await leftoversOn(session.side(side)))
    .filter((what) => !records || what !== 'schema pgglide')
    .map((what) => `${side}: ${what}`);
}
