/** A link that somebody has altered is made as it was. What it left out meanwhile never comes: a comparison finds it. */

import { LINK_ALTERED } from '../domain/last-verification.ts';
import { linkFrom, otherSide } from '../domain/names.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import { existingLanes } from '../postgres/lane.ts';
import { noteLane } from '../postgres/lane-note.ts';
import { linkAlterations } from '../postgres/link-alterations.ts';
import type { Standing } from './rows.ts';
import type { Session } from './session.ts';

/** Told first: also when we are killed in between, the verification of before does not count any more. */
export async function mendLink(
  session: Session,
  { activeSide, phase, switchover }: Pick<Standing, 'activeSide' | 'phase' | 'switchover'>,
): Promise<void> {
  if (phase !== 'following' && phase !== 'switched') return;
  // It was us: half-way the links of neither direction are as they will be.
  if (switchover !== undefined) return;
  const passive = otherSide(activeSide);
  const ends = { publisher: session.side(activeSide), subscriber: session.side(passive) };
  const lanes = await existingLanes(ends.publisher, session.migration, linkFrom(activeSide));
  const altered = await linkAlterations(ends.publisher, ends.subscriber, passive, lanes);
  if (altered.length === 0) return;
  await session.databaseEvents.emit('warning', {
    code: LINK_ALTERED,
    message: `Somebody has altered the link: ${altered.map(({ text }) => text).join('; ')}. It is made as it was, and what came of it meanwhile is on the ${passive}`,
    hint: 'pgglide verify shows it, and pgglide verify --repair TABLE mends it.',
  });
  for (const { on, mend } of altered)
    if (mend !== undefined) await withBriefLock(ends[on], mend, { outwaitsVacuum: true });
  for (const lane of lanes) await noteLane(ends.publisher, ends.subscriber, lane);
}
