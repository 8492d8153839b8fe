/** What somebody has changed of a link, in any of its lanes or of the fence behind which it runs. */

import type { LaneNames, Side } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { fenceGaps } from './fence-gaps.ts';
import { type Alteration, laneAlterations } from './lane-shape.ts';

/** `side`: the subscriber's. For a link that is whole, not for one that is being made. Reads only. */
export async function linkAlterations(
  publisher: Connection,
  subscriber: Connection,
  side: Side,
  lanes: readonly LaneNames[],
): Promise<Alteration[]> {
  const found = await Promise.all([
    ...lanes.map((lane) => laneAlterations(publisher, subscriber, lane)),
    fenceGaps(publisher, subscriber, side, lanes),
  ]);
  return found.flat();
}
