/** The side that takes the writes was restored from a snapshot of its disk, say: what the link has brought by then, it has not written. */

import { ReplicationError } from '../domain/errors.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import { WENT_BACK_HINT, wentBackText } from '../domain/went-back.ts';
import { existingLanes } from '../postgres/lane.ts';
import { subscriberAhead } from '../postgres/subscriber-ahead.ts';
import type { Session } from './session.ts';

/** @throws {ReplicationError} `publisher_went_back` */
export async function requireNotGoneBack(session: Session, activeSide: Side): Promise<void> {
  const publisher = session.side(activeSide);
  for (const lane of await existingLanes(publisher, session.migration, linkFrom(activeSide))) {
    const ahead = await subscriberAhead(publisher, session.side(otherSide(activeSide)), lane);
    if (ahead === undefined) continue;
    const text = wentBackText(activeSide, ahead.appliedLsn);
    throw new ReplicationError('publisher_went_back', `${text.charAt(0).toUpperCase()}${text.slice(1)}`, {
      hint: WENT_BACK_HINT[activeSide],
      facts: { side: activeSide, ...ahead },
    });
  }
}
