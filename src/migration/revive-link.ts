/**
 * The link as a command needs it: running. PostgreSQL starts a worker whose connection broke again after some seconds, which are
 * waited for; one that somebody switched off is switched on, and each is told where the publisher is as the configuration has it now.
 * What somebody has taken from it, and with it no change, is given back: its slot's name, its marker.
 */

import { until } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import { LOST_SLOT, LOST_SLOT_HINT } from '../domain/lost-slot.ts';
import { type LaneNames, linkFrom, otherSide, type Side } from '../domain/names.ts';
import type { Connection } from '../postgres/connection.ts';
import { existingLanes } from '../postgres/lane.ts';
import { isAsNoted, noteLane, readLaneNote } from '../postgres/lane-note.ts';
import { mendMarker } from '../postgres/mend-marker.ts';
import { isLost, slotState } from '../postgres/replication-slot.ts';
import {
  enableSubscriptionSql,
  reconnectSubscription,
  type SubscriptionState,
  setSlotSql,
  subscriptionState,
} from '../postgres/subscription.ts';
import type { Standing } from './rows.ts';
import type { Session } from './session.ts';
import { requireNotGoneBack } from './went-back.ts';

/**
 * Before anything is waited for: a link whose slot is lost never runs again, and one whose publisher has gone back leaves changes out.
 * @throws {ReplicationError} `slot_lost`, `publisher_went_back`
 */
export async function requireSlots(
  session: Session,
  { activeSide }: Pick<Standing, 'activeSide'>,
): Promise<void> {
  const publisher = session.side(activeSide);
  const lanes = await existingLanes(publisher, session.migration, linkFrom(activeSide));
  if (lanes.length === 0) throw slotLost('The link is gone', activeSide);
  for (const { slot } of lanes) {
    const state = await slotState(publisher, slot);
    if (isLost(state)) throw slotLost(`Slot ${slot} is ${state === undefined ? 'gone' : 'lost'}`, activeSide);
  }
  await requireNotGoneBack(session, activeSide);
}

const slotLost = (what: string, activeSide: Side): ReplicationError =>
  new ReplicationError('slot_lost', `${what}: ${LOST_SLOT[activeSide]}`, {
    hint: LOST_SLOT_HINT[activeSide],
    facts: { side: activeSide },
  });

const START_TIMEOUT_MS = 10_000;

/** Of the active side's link, under the runner's lock. What does not run then is for the caller to find. */
export async function reviveLink(session: Session, row: Standing | undefined): Promise<void> {
  if (row?.phase !== 'following' && row?.phase !== 'switched') return;
  // Which link is to run is not settled then.
  if (row.switchover !== undefined) return;
  const subscriber = session.side(otherSide(row.activeSide));
  const publisher = session.side(row.activeSide);
  for (const lane of await existingLanes(publisher, session.migration, linkFrom(row.activeSide))) {
    const seen = await subscriptionState(subscriber, lane.subscription);
    if (seen === undefined) continue;
    if (!seen.isRunning) {
      const isRight = isAsNoted(await readLaneNote(publisher, subscriber, lane));
      await enable(session, subscriber, lane, seen, row.activeSide);
      if (isRight) await noteLane(publisher, subscriber, lane);
      await awaitStart(session, subscriber, lane);
    }
    await mendMarker(publisher, subscriber, lane);
  }
}

async function enable(
  session: Session,
  subscriber: Connection,
  { subscription, slot }: LaneNames,
  seen: SubscriptionState,
  activeSide: Side,
): Promise<void> {
  if (seen.slot === undefined) await subscriber.script(setSlotSql(subscription, slot));
  // Its worker may be kept out by a password that was changed, or look for a host that has moved.
  await reconnectSubscription(subscriber, subscription, session.context().linkConninfo[activeSide]);
  if (!seen.isEnabled) await subscriber.script(enableSubscriptionSql(subscription));
}

async function awaitStart(
  session: Session,
  subscriber: Connection,
  { subscription }: LaneNames,
): Promise<void> {
  const started = until(
    `the start of ${subscription}`,
    async () => {
      const state = await subscriptionState(subscriber, subscription);
      return state === undefined || state.isRunning || undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, signal: session.signal },
  );
  await started.catch(() => session.signal.throwIfAborted());
}
