import { returnLanesOf } from '../domain/lanes.ts';
import { type LaneNames, laneNames, linkFrom, qualified, type TableName } from '../domain/names.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { publicationAlterations, subscriptionAlterations } from '../postgres/lane-shape.ts';
import { linkedTables } from '../postgres/linked-tables.ts';
import { createMarkerSql } from '../postgres/marker.ts';
import { followsMarker, publishesMarker } from '../postgres/mend-marker.ts';
import { addTables, createPublication, publishedByLanes } from '../postgres/publication.ts';
import { copySlot, createSlot, dropSlot } from '../postgres/replication-slot.ts';
import {
  createSubscription,
  dropSubscription,
  originName,
  reconnectSubscription,
  subscriptionState,
} from '../postgres/subscription.ts';
import { isCopied, noteCopied, readCopyProgress } from '../state/copy-progress.ts';

/** Waiting for the transactions that run on the new side, where only the apply worker writes. */
const SLOT_TIMEOUT_MS = 15_000;
const DROP_TIMEOUT_MS = 5_000;

/**
 * Builds the link that will carry writes back to the old side, and leaves it disabled: markers on both sides,
 * publications and fresh slots on the new side, subscriptions on the old one. Both directions are never enabled at once.
 * Tables that share a lane on the way out share one on the way back.
 *
 * The publication takes SHARE UPDATE EXCLUSIVE on each table of the new side: nobody waits. Undo drops the slots,
 * so that they hold no WAL, and leaves the rest for the next attempt.
 *
 * @throws {PrerequisiteError} `slot_waits_for_transaction`
 * @see https://www.postgresql.org/docs/current/logical-replication.html
 */
export const prepareReturnLink: SwitchoverStep = {
  id: 'prepare-return-link',
  title: 'Build the way back, not yet enabled',
  describe: ({ from, to, tables }) => [
    `create publications (${tables.length} tables) and slots on the ${to}`,
    `create disabled subscriptions on the ${from}`,
  ],

  async run(context) {
    const lanes = await publishLanes(context);
    if (context.to === 'source') await noteForward(context, lanes);
    await dropEnabledSubscriptions(context, lanes);
    await freshSlots(context, lanes);
    await dropStaleSubscriptions(context, lanes);
    const origins: string[] = [];
    for (const lane of lanes) origins.push(await subscribeDisabled(context, lane));
    context.facts.returnLanes = lanes;
    context.facts.returnOrigins = origins;
    return `${lanes.length === 1 ? 'one lane' : `${lanes.length} lanes`}`;
  },

  async undo(context) {
    for (const lane of await returnLanes(context))
      await dropSlot(context.newSide, lane.slot, { timeoutMs: DROP_TIMEOUT_MS });
  },
};

/** Those that exist, from an earlier switch or attempt. */
const returnLanes = ({ newSide, migration, to }: SwitchoverContext): Promise<LaneNames[]> =>
  existingLanes(newSide, migration, linkFrom(to));

/** Every table is published by one of the lanes that are returned: also those that joined after an earlier switch. */
async function publishLanes(context: SwitchoverContext): Promise<LaneNames[]> {
  const { newSide, oldSide, outLanes, tables, migration, settings, to } = context;
  const existing = await returnLanes(context);
  for (const lane of existing) await mendIdleLane(context, lane);
  const [onTheWayOut, carried] = await Promise.all([
    publishedByLanes(oldSide, outLanes),
    publishedByLanes(newSide, existing),
  ]);
  const added = new Map(returnLanesOf(onTheWayOut, carried.flat(), tables, settings.replication.lanes));
  // A database without tables has a link, too.
  if (existing.length === 0 && added.size === 0) added.set(1, []);
  for (const [number, joining] of added) {
    const lane = existing.find((known) => known.lane === number);
    if (lane !== undefined) await joinLane(context, lane, joining);
    else await publish(context, laneNames(migration, linkFrom(to), number), joining);
  }
  return returnLanes(context);
}

/** Of an earlier switch: somebody may have altered it since, or dropped our schema. It has sent nothing since, so that nothing was left out. */
async function mendIdleLane({ newSide, signal }: SwitchoverContext, lane: LaneNames): Promise<void> {
  for (const { mend } of await publicationAlterations(newSide, lane))
    if (mend !== undefined) await withBriefLock(newSide, mend, { outwaitsVacuum: true, signal });
  await newSide.script(createMarkerSql(lane.marker));
  if (!(await publishesMarker(newSide, lane)))
    await addTables(newSide, lane.publication, [lane.marker], { signal });
}

/**
 * Sync copies what is not noted as copied: what joined while the target was active is on both sides as the rest is, and comes in
 * the lane that publishes it.
 */
async function noteForward(
  { newSide, target, migration, tables }: SwitchoverContext,
  lanes: readonly LaneNames[],
): Promise<void> {
  const planned = new Set(tables.map(qualified));
  const published = await publishedByLanes(newSide, lanes);
  const carried = lanes.flatMap(({ lane }, place) =>
    (published[place] ?? [])
      .filter((table) => planned.has(qualified(table)))
      .map((table) => ({ ...table, lane })),
  );
  const noted = new Map(
    (await readCopyProgress(target, migration))
      .filter(isCopied)
      .map((table) => [qualified(table), table.lane]),
  );
  const joined = carried.filter((table) => noted.get(qualified(table)) !== table.lane);
  if (joined.length > 0) await target.transaction(() => noteCopied(target, migration, joined));
}

async function joinLane(
  { newSide, oldSide, signal }: SwitchoverContext,
  lane: LaneNames,
  tables: readonly TableName[],
): Promise<void> {
  // A subscription that is not enabled cannot be told of new tables: the next one knows them.
  await dropSubscription(oldSide, lane.subscription);
  await addTables(newSide, lane.publication, tables, { signal });
}

async function publish(
  { newSide, signal }: SwitchoverContext,
  lane: LaneNames,
  tables: readonly TableName[],
): Promise<void> {
  await newSide.script(createMarkerSql(lane.marker));
  await createPublication(newSide, lane.publication, [lane.marker, ...tables], { signal });
}

/**
 * Whoever restored the new side from a backup of before a switch has left the old one with the link from there: with a slot it would
 * bring back at once what the link on the way out brings here.
 */
async function dropEnabledSubscriptions(
  { oldSide }: SwitchoverContext,
  lanes: readonly LaneNames[],
): Promise<void> {
  for (const { subscription } of lanes)
    if ((await subscriptionState(oldSide, subscription))?.isEnabled)
      await dropSubscription(oldSide, subscription);
}

/** A slot of an earlier switch would hold WAL from then and send it: only a fresh one knows nothing old. */
async function freshSlots(
  { newSide, signal }: SwitchoverContext,
  lanes: readonly LaneNames[],
): Promise<void> {
  for (const { slot } of lanes) await dropSlot(newSide, slot, { timeoutMs: DROP_TIMEOUT_MS });
  const [first, ...others] = lanes.map(({ slot }) => slot);
  if (first === undefined) return;
  await createSlot(newSide, first, { timeoutMs: SLOT_TIMEOUT_MS, signal });
  for (const name of others) await copySlot(newSide, first, name);
}

/** Of an earlier switch: what was made anew on the old side since, they would skip without a word, or what somebody has told them to. */
async function dropStaleSubscriptions(
  { newSide, oldSide, migration, to }: SwitchoverContext,
  lanes: readonly LaneNames[],
): Promise<void> {
  for (const lane of lanes)
    if (!(await isWhole(oldSide, lane))) await dropSubscription(oldSide, lane.subscription);
  const { published, followed } = await linkedTables(newSide, oldSide, migration, linkFrom(to));
  if ([...published].every((table) => followed.has(table))) return;
  for (const { subscription } of lanes) await dropSubscription(oldSide, subscription);
}

async function isWhole(oldSide: Connection, lane: LaneNames): Promise<boolean> {
  const state = await subscriptionState(oldSide, lane.subscription);
  return (
    state?.slot !== undefined &&
    (await followsMarker(oldSide, lane)) &&
    (await subscriptionAlterations(oldSide, lane)).length === 0
  );
}

/** @returns the name of its replication origin on the old side */
async function subscribeDisabled(context: SwitchoverContext, lane: LaneNames): Promise<string> {
  const { oldSide, linkConninfo, to } = context;
  await oldSide.script(createMarkerSql(lane.marker));
  if ((await subscriptionState(oldSide, lane.subscription)) === undefined) {
    await createSubscription(oldSide, lane, linkConninfo[to], { enabled: false });
  } else {
    // Of an earlier switch: the password may be another one since.
    await reconnectSubscription(oldSide, lane.subscription, linkConninfo[to]);
  }
  const state = await subscriptionState(oldSide, lane.subscription);
  if (state === undefined) throw new Error(`Subscription ${lane.subscription} vanished`);
  return originName(state);
}
