/**
 * A link that is to run, and was switched off. `disable_on_error` stops a subscription at a row it cannot apply, but also when
 * its connection breaks: a crash of the publisher, a cut in the network. The one heals by itself, the other does not, so
 * it is tried.
 */

import { until } from '../base/async.ts';
import { linkFrom, otherSide } from '../domain/names.ts';
import { existingLanes } from '../postgres/lane.ts';
import { enableSubscriptionSql, subscriptionState } from '../postgres/subscription.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { Session } from './session.ts';

const START_TIMEOUT_MS = 10_000;

/** Enables what is disabled of the active side's link, under the runner's lock; what stops again is for the caller to find. */
export async function reviveLink(session: Session, row: MigrationRow | undefined): Promise<void> {
  if (row?.phase !== 'following' && row?.phase !== 'switched') return;
  // Which link is to run is not settled then.
  if (row.switchover !== undefined) return;
  const subscriber = session.side(otherSide(row.activeSide));
  const publisher = session.side(row.activeSide);
  for (const { subscription } of await existingLanes(
    publisher,
    session.migration,
    linkFrom(row.activeSide),
  )) {
    if ((await subscriptionState(subscriber, subscription))?.isEnabled !== false) continue;
    await subscriber.script(enableSubscriptionSql(subscription));
    const started = until(
      `the start of ${subscription}`,
      async () => {
        const state = await subscriptionState(subscriber, subscription);
        return state?.isRunning || state?.isEnabled === false || undefined;
      },
      { timeoutMs: START_TIMEOUT_MS, signal: session.signal },
    );
    await started.catch(() => session.signal.throwIfAborted());
  }
}
