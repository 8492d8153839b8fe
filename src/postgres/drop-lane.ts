/** Taking a lane away, in part or whole. */

import { until, withDeadline } from '../base/async.ts';
import type { LaneNames } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { dropMarkerSql } from './marker.ts';
import { dropPublicationSql } from './publication.ts';
import { dropSlot, slotState } from './replication-slot.ts';
import { sql } from './sql.ts';
import { disableSubscriptionSql, dropSubscription, subscriptionState } from './subscription.ts';

const DISABLE_TIMEOUT_MS = 5_000;
const DROP_TIMEOUT_MS = 30_000;
const ATTEMPT_TIMEOUT_MS = 500;

/** Everything of the lane, on both sides. The subscription first: a slot in use cannot be dropped. */
export async function dropLane(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
): Promise<void> {
  await dropSubscription(subscriber, lane.subscription);
  await dropSlot(publisher, lane.slot, { timeoutMs: DROP_TIMEOUT_MS });
  await withBriefLock(publisher, dropPublicationSql(lane.publication));
  await Promise.all([
    withBriefLock(publisher, dropMarkerSql(lane.marker)),
    withBriefLock(subscriber, dropMarkerSql(lane.marker)),
  ]);
}

/**
 * Frees the publisher from the lane's WAL, also when the subscriber does not answer: its subscription is disabled if it
 * can be, the walsender ended, the slot dropped. Publication and subscription stay and show what happened.
 *
 * @throws {ReplicationError} `slot_in_use`
 */
export async function giveUpSlot(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
): Promise<void> {
  await withDeadline('disabling the subscription', DISABLE_TIMEOUT_MS, disable(subscriber, lane)).catch(
    () => undefined,
  );
  const attempt = async (): Promise<true | undefined> => {
    const pid = (await slotState(publisher, lane.slot))?.activePid;
    if (pid !== undefined) await publisher.query(sql`SELECT pg_terminate_backend(${pid}::int)`);
    await dropSlot(publisher, lane.slot, { timeoutMs: ATTEMPT_TIMEOUT_MS }).catch(() => undefined);
    return (await slotState(publisher, lane.slot)) === undefined ? true : undefined;
  };
  await until(`the end of slot ${lane.slot}`, attempt, { timeoutMs: DROP_TIMEOUT_MS }).catch(() =>
    dropSlot(publisher, lane.slot, { timeoutMs: ATTEMPT_TIMEOUT_MS }),
  );
}

async function disable(subscriber: Connection, lane: LaneNames): Promise<void> {
  if ((await subscriptionState(subscriber, lane.subscription))?.isEnabled)
    await subscriber.script(disableSubscriptionSql(lane.subscription));
}
