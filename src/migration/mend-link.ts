/** A link that somebody has altered is made as it was. What it left out meanwhile never comes: a comparison finds it. */

import { LINK_ALTERED } from '../domain/last-verification.ts';
import { linkFrom, otherSide, type Side } from '../domain/names.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import { existingLanes } from '../postgres/lane.ts';
import { laneAlterations } from '../postgres/lane-shape.ts';
import type { Session } from './session.ts';

/** Told first: also when we are killed in between, the verification of before does not count any more. */
export async function mendLink(session: Session, activeSide: Side): Promise<void> {
  const passive = otherSide(activeSide);
  const ends = { publisher: session.side(activeSide), subscriber: session.side(passive) };
  for (const lane of await existingLanes(ends.publisher, session.migration, linkFrom(activeSide))) {
    const altered = await laneAlterations(ends.publisher, ends.subscriber, lane);
    if (altered.length === 0) continue;
    await session.databaseEvents.emit('warning', {
      code: LINK_ALTERED,
      message: `Somebody has altered the link, which is made as it was: ${altered.map(({ text }) => text).join('; ')}. What it left out meanwhile is missing on the ${passive}`,
      hint: 'pgglide verify shows it, and pgglide verify --repair TABLE brings it.',
    });
    for (const { on, mend } of altered) await withBriefLock(ends[on], mend, { outwaitsVacuum: true });
  }
}
