/**
 * After a crash in a switchover: the migration's row tells whether its commit point was written. Before it everything
 * goes back, after it everything goes forward. Every command that changes something does this first.
 */

import type { SwitchoverSummary } from '../domain/event.ts';
import { linkFrom } from '../domain/names.ts';
import type { Plan } from '../domain/plan.ts';
import { isFenceRaised, liftFenceSql } from '../postgres/fence.ts';
import { existingLanes } from '../postgres/lane.ts';
import { dropSlot } from '../postgres/replication-slot.ts';
import {
  disableSubscriptionSql,
  enableSubscriptionSql,
  subscriptionState,
} from '../postgres/subscription.ts';
import { isCommitted, type MigrationRow, type SwitchoverIntent, saveIntent } from '../state/migration-row.ts';
import { takeSwitchLocks } from '../state/runner-lock.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import type { Session } from './session.ts';
import { summarize } from './summary.ts';
import { rollForward } from './switchover.ts';
import { switchoverContext } from './switchover-context.ts';

/** @returns the switchover that was finished; undefined where one was undone, or there was none */
export async function recover(
  session: Session,
  traffic: TrafficSwitch,
): Promise<SwitchoverSummary | undefined> {
  const row = await session.row();
  if (row?.switchover === undefined || row.plan === undefined) return undefined;
  const intent = row.switchover;
  await takeSwitchLocks(session, session.others);
  const wasCommitted = isCommitted(row);
  await session.events.emit('warning', {
    code: wasCommitted ? 'switchover_finished_late' : 'switchover_undone_late',
    message: wasCommitted
      ? `The ${intent.direction} that was interrupted had passed its commit point: finishing it`
      : `The ${intent.direction} that was interrupted had not passed its commit point: undoing it`,
  });
  if (wasCommitted) return finish(session, traffic, row, intent, row.plan);
  await undo(session, traffic, intent);
  await saveIntent(session.target, session.migration, undefined);
  return undefined;
}

async function finish(
  session: Session,
  traffic: TrafficSwitch,
  row: MigrationRow,
  intent: SwitchoverIntent,
  plan: Plan,
): Promise<SwitchoverSummary> {
  const before = { plan, epoch: intent.epoch - 1, activeSide: intent.from };
  // Going forward is not interrupted: half-way is no place to stop.
  const context = await switchoverContext(
    session,
    before,
    intent.direction,
    traffic,
    new AbortController().signal,
  );
  const steps = await rollForward(context);
  await session.changePhase(row.phase, intent.to === 'target' ? 'switched' : 'following');
  const summary = summarize(context, steps);
  await session.endSwitchover(summary);
  return summary;
}

/** The crash has already released locks and pins; what is left is the link, the fence and the traffic switch's hold. */
async function undo(session: Session, traffic: TrafficSwitch, intent: SwitchoverIntent): Promise<void> {
  const { from } = intent;
  // The side that traffic goes on with must take writes first, in every database.
  for (const database of session.databases) {
    const side = database.side(from);
    if (await isFenceRaised(side)) await side.script(liftFenceSql());
  }
  // A traffic switch that cannot be reached holds nothing for longer than its lease.
  await traffic
    .resume(from, intent.epoch - 1)
    .catch((error: unknown) =>
      session.events.emit('warning', { code: 'traffic_unreachable', message: String(error) }),
    );
  for (const database of session.databases) await undoLinks(database, intent);
}

async function undoLinks(session: Session, { from, to }: SwitchoverIntent): Promise<void> {
  const oldSide = session.side(from);
  const newSide = session.side(to);
  for (const lane of await existingLanes(newSide, session.migration, linkFrom(to))) {
    if (await subscriptionState(oldSide, lane.subscription)) {
      await oldSide.script(disableSubscriptionSql(lane.subscription));
    }
    await dropSlot(newSide, lane.slot, { timeoutMs: 30_000 });
  }
  for (const lane of await existingLanes(oldSide, session.migration, linkFrom(from))) {
    if ((await subscriptionState(newSide, lane.subscription))?.isEnabled === false)
      await newSide.script(enableSubscriptionSql(lane.subscription));
  }
}
