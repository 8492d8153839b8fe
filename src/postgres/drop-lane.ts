/** Taking a lane away. */

import type { LaneNames } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { dropMarkerSql } from './marker.ts';
import { dropPublicationSql } from './publication.ts';
import { dropSlot } from './replication-slot.ts';
import { dropSubscription } from './subscription.ts';

const DROP_TIMEOUT_MS = 30_000;

/**
 * Everything of the lane, on both sides. The subscription first: a slot in use cannot be dropped. The publication last: by it
 * a lane is known, so that what a kill leaves of one is found again.
 */
export async function dropLane(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
): Promise<void> {
  await dropSubscription(subscriber, lane.subscription);
  await dropSlot(publisher, lane.slot, { timeoutMs: DROP_TIMEOUT_MS });
  await Promise.all([
    withBriefLock(publisher, dropMarkerSql(lane.marker)),
    withBriefLock(subscriber, dropMarkerSql(lane.marker)),
  ]);
  await withBriefLock(publisher, dropPublicationSql(lane.publication));
}
