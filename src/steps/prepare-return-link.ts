import { type LaneNames, laneNames, linkFrom, qualified } from '../domain/names.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { createMarkerSql } from '../postgres/marker.ts';
import { addTablesSql, createPublicationSql, publishedTables } from '../postgres/publication.ts';
import { createSlot, dropSlot } from '../postgres/replication-slot.ts';
import {
  createSubscription,
  dropSubscription,
  originName,
  subscriptionState,
} from '../postgres/subscription.ts';

/** Waiting for the transactions that run on the new side, where only the apply worker writes. */
const SLOT_TIMEOUT_MS = 15_000;

/**
 * Builds the link that will carry writes back to the old side, and leaves it disabled: markers on both sides,
 * publication and fresh slot on the new side, subscription on the old one. Both directions are never enabled at once.
 *
 * The publication takes SHARE UPDATE EXCLUSIVE on each table of the new side: nobody waits. Undo drops the slot,
 * so that it holds no WAL, and leaves the rest for the next attempt.
 *
 * @throws {PrerequisiteError} `slot_waits_for_transaction`
 * @see https://www.postgresql.org/docs/current/logical-replication.html
 */
export const prepareReturnLink: SwitchoverStep = {
  id: 'prepare-return-link',
  title: 'Build the way back, not yet enabled',
  describe: ({ from, to, tables }) => [
    `create publication (${tables.length} tables) and slot on the ${to}`,
    `create a disabled subscription on the ${from}`,
  ],

  async run(context) {
    const lanes = await returnLanes(context);
    await publishNewTables(context, lanes);
    const origins: string[] = [];
    for (const lane of lanes) origins.push(await buildLane(context, lane));
    context.facts.returnLanes = lanes;
    context.facts.returnOrigins = origins;
    return `${lanes.length === 1 ? 'one lane' : `${lanes.length} lanes`}`;
  },

  async undo(context) {
    for (const lane of await returnLanes(context))
      await dropSlot(context.newSide, lane.slot, { timeoutMs: 5000 });
  },
};

/** The lanes that exist from an earlier switch, or one new lane. */
async function returnLanes({ newSide, migration, to }: SwitchoverContext): Promise<LaneNames[]> {
  const link = linkFrom(to);
  const existing = await existingLanes(newSide, migration, link);
  return existing.length > 0 ? existing : [laneNames(migration, link, 1)];
}

/** Tables that joined the migration after an earlier switch: without them their writes would not come back. */
async function publishNewTables(context: SwitchoverContext, lanes: readonly LaneNames[]): Promise<void> {
  const { newSide, oldSide, tables, signal } = context;
  const publications = await Promise.all(lanes.map((lane) => publishedTables(newSide, lane.publication)));
  const [lane] = lanes;
  if (lane === undefined || publications[0] === undefined) return;
  const published = new Set(publications.flatMap((list) => (list ?? []).map(qualified)));
  const added = tables.filter((table) => !published.has(qualified(table)));
  if (added.length === 0) return;
  // A subscription that is not enabled cannot be told of new tables: the next one knows them.
  await dropSubscription(oldSide, lane.subscription);
  await withBriefLock(newSide, addTablesSql(lane.publication, added), { signal });
}

/** @returns the name of its replication origin on the old side */
async function buildLane(context: SwitchoverContext, lane: LaneNames): Promise<string> {
  const { newSide, oldSide } = context;
  await Promise.all([createMarker(newSide, lane), createMarker(oldSide, lane)]);
  if ((await publishedTables(newSide, lane.publication)) === undefined) {
    await withBriefLock(newSide, createPublicationSql(lane.publication, [lane.marker, ...context.tables]), {
      signal: context.signal,
    });
  }
  // A slot of an earlier switch would hold WAL from then and send it: only a fresh one knows nothing old.
  await dropSlot(newSide, lane.slot, { timeoutMs: 5000 });
  await createSlot(newSide, lane.slot, { timeoutMs: SLOT_TIMEOUT_MS, signal: context.signal });
  if ((await subscriptionState(oldSide, lane.subscription)) === undefined) {
    await createSubscription(oldSide, lane, context.linkConninfo[context.to], { enabled: false });
  }
  const state = await subscriptionState(oldSide, lane.subscription);
  if (state === undefined) throw new Error(`Subscription ${lane.subscription} vanished`);
  return originName(state);
}

const createMarker = (connection: Connection, lane: LaneNames): Promise<void> =>
  connection.script(createMarkerSql(lane.marker));
