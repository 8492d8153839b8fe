/**
 * The link as a command needs it: running. PostgreSQL starts a worker whose connection broke again after some seconds, which are
 * waited for; one that somebody switched off is switched on, and each is told where the publisher is as the configuration has it now.
 */

import { until } from '../base/async.ts';
import { linkFrom, otherSide } from '../domain/names.ts';
import { existingLanes } from '../postgres/lane.ts';
import { enableSubscriptionSql, reconnectSubscription, subscriptionState } from '../postgres/subscription.ts';
import type { MigrationRow } from '../state/migration-row.ts';
import type { Session } from './session.ts';

const START_TIMEOUT_MS = 10_000;

/** Of the active side's link, under the runner's lock. What does not run then is for the caller to find. */
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
    const seen = await subscriptionState(subscriber, subscription);
    if (seen === undefined || seen.isRunning) continue;
    // Its worker may be kept out by a password that was changed, or look for a host that has moved.
    await reconnectSubscription(subscriber, subscription, session.context().linkConninfo[row.activeSide]);
    if (!seen.isEnabled) await subscriber.script(enableSubscriptionSql(subscription));
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
}
