/** Cutover, rollback and rehearsal as commands: guards, the switchover itself, what is recorded, the exact comparison after it. */

import { messageOf } from '../base/message-of.ts';
import { PgglideError } from '../domain/errors.ts';
import type { SwitchoverDirection, SwitchoverSummary, VerificationSummary } from '../domain/event.ts';
import { hasMovedTraffic, lastVerification } from '../domain/last-verification.ts';
import type { Phase } from '../domain/phase.ts';
import type { Plan } from '../domain/plan.ts';
import { reconcile } from '../engine/reconcile.ts';
import type { Switchover } from '../engine/switchover-step.ts';
import { readEvents } from '../state/journal.ts';
import { raiseEpoch, type SwitchoverIntent, saveIntent } from '../state/migration-row.ts';
import { takeRunnerLock, takeSwitchLocks } from '../state/runner-lock.ts';
import { noteRoles, noteRolesOfTarget } from '../steps/note-roles.ts';
import { openSessions } from '../steps/open-sessions.ts';
import { putProxyIn } from '../steps/put-proxy-in.ts';
import type { TrafficSwitch } from '../traffic/traffic-switch.ts';
import { requireOpenDoor } from './closed-door.ts';
import { naming, undoStep } from './each-database.ts';
import { guardVerified } from './guard-verified.ts';
import { joinIfSmall } from './join-way-back.ts';
import { updateOwnSchema } from './own-schema.ts';
import { verifyPinnedSnapshots } from './pinned.ts';
import { requirePrimaries } from './primaries.ts';
import { recover } from './recover.ts';
import { renewPlan } from './renew-plan.ts';
import { requireSlots, reviveLink } from './revive-link.ts';
import { requirePlan, requireRow, type Standing, withoutPlan } from './rows.ts';
import type { Session } from './session.ts';
import { summarize } from './summary.ts';
import { rehearse, switchOver } from './switchover.ts';
import { switchoverContext } from './switchover-context.ts';

export interface SwitchResult {
  readonly summary: SwitchoverSummary;
  /** Undefined after a rehearsal, and where the comparison was not finished: its snapshots went with its run. */
  readonly verification: VerificationSummary | undefined;
  /** What the summary does not tell, with what to do. */
  readonly note?: string | undefined;
}

export interface SwitchOptions {
  /** Cut over although no fresh verification found both sides equal; roll back although the last one found differences. */
  readonly unverified?: boolean;
}

/** The active side goes to `direction`'s end; undefined when it is there already. */
export async function runSwitch(
  session: Session,
  direction: SwitchoverDirection,
  options: SwitchOptions = {},
): Promise<SwitchResult> {
  await takeRunnerLock(session.target, session.migration);
  await takeSwitchLocks(session, session.others);
  await session.openJournal();
  await using traffic = session.openTraffic();
  const finished = await recover(session, traffic);
  // The same command again after a crash behind the commit point: done.
  if (finished?.direction === direction) {
    return { summary: finished, verification: undefined, note: notCompared('the run was interrupted') };
  }
  const before = await doneBefore(session, direction);
  if (before !== undefined) return before;
  const row = withoutPlan(await requireRow(session, direction === 'rehearsal' ? 'rehearse' : direction));
  requirePrimaries(session);
  await requireOpenDoor(session);
  await guardVerified(session, direction, options);
  for (const database of session.databases) await naming(database.prefix, () => requireSlots(database, row));
  await session.beforeSwitch?.(direction, row.activeSide);
  await updateOwnSchema(session);
  const placement = session.placement();
  if (placement !== undefined) {
    const { activeSide } = row;
    await reconcile(putProxyIn, { ...session.context(), placement, activeSide });
  }
  for (const database of session.databases) await reviveLink(database, row);
  if (direction === 'rollback') for (const database of session.databases) await joinIfSmall(database, row);
  const noted = row.activeSide === 'source' ? noteRoles : noteRolesOfTarget;
  for (const database of session.databases) await reconcile(noted, database.context());
  const epoch = await epochBefore(session, row, traffic);
  const plan = await renewPlans(session);
  const context = await switchoverContext(session, { ...row, plan, epoch }, direction, traffic);
  const run = runWithSessions(session, context, row.phase);
  await run.then(
    () => session.events.release(),
    // A target that cannot take the journal's last lines must not hide what happened.
    () => session.events.release().catch(() => undefined),
  );
  return run;
}

/** What was saved may be older than DDL that was run on both sides since. @returns the lead's */
async function renewPlans(session: Session): Promise<Plan> {
  const plan = await renewPlan(session, (await requirePlan(session)).plan);
  for (const other of session.others)
    await naming(other.prefix, async () => renewPlan(other, (await requirePlan(other)).plan));
  return plan;
}

async function runWithSessions(session: Session, context: Switchover, phase: Phase): Promise<SwitchResult> {
  try {
    return context.direction === 'rehearsal'
      ? await runRehearsal(session, context)
      : await runReal(session, context, phase);
  } finally {
    await undoStep(openSessions, context);
  }
}

/**
 * A traffic switch that served a migration of this name before, which was aborted, takes none but newer epochs than it
 * knows: this one's go on behind them.
 */
async function epochBefore(session: Session, row: Standing, traffic: TrafficSwitch): Promise<number> {
  // One that cannot be asked is check-readiness's to report.
  const seen = await traffic.observe().catch(() => undefined);
  if (seen === undefined || seen.activeSide !== row.activeSide || seen.epoch <= row.epoch) return row.epoch;
  await raiseEpoch(session.target, session.migration, seen.epoch);
  return seen.epoch;
}

async function runRehearsal(session: Session, context: Switchover): Promise<SwitchResult> {
  await announce(context);
  session.events.hold();
  const steps = await rehearse(context).catch((error: unknown) => reportAbort(context, error));
  const summary = summarize(context, steps);
  await session.events.emit('switchover-finished', summary);
  return { summary, verification: undefined };
}

async function runReal(session: Session, context: Switchover, phase: Phase): Promise<SwitchResult> {
  const { direction, from, to, epoch } = context;
  const intent: SwitchoverIntent = { direction, from, to, epoch, startedAt: new Date().toISOString() };
  await saveIntent(session.target, session.migration, intent);
  await announce(context);
  session.events.hold();
  const steps = await switchOver(context).catch((error: unknown) => giveUp(session, context, error));
  await session.events.release();
  await session.changePhase(phase, to === 'target' ? 'switched' : 'following');
  const summary = summarize(context, steps);
  await session.endSwitchover(summary);
  return { summary, ...(await comparison(session, context)) };
}

const notCompared = (why: string): string =>
  `The comparison of both sides was not finished: ${why}. Traffic has moved all the same; to compare now: pgglide verify`;

/** Traffic has moved: whatever ends the comparison, told to stop included, the switch is no failure and nothing to repeat. */
async function comparison(
  session: Session,
  context: Switchover,
): Promise<Pick<SwitchResult, 'verification' | 'note'>> {
  try {
    return { verification: await verifyPinnedSnapshots(session, context) };
  } catch (error) {
    const note = notCompared(messageOf(error));
    const told = session.events.emit('warning', { code: 'comparison_unfinished', message: note });
    // The target may be what ended it.
    await told.catch(() => undefined);
    return { verification: undefined, note };
  }
}

/** The same command again after its switch was recorded, as of a Job whose pod was killed in the comparison: done. */
export async function doneBefore(
  session: Session,
  direction: SwitchoverDirection,
): Promise<SwitchResult | undefined> {
  const row = await session.row();
  if (row?.phase !== (direction === 'cutover' ? 'switched' : 'following')) return undefined;
  const events = await readEvents(session.target, session.migration);
  const last = events.findLast(hasMovedTraffic);
  if (last?.data.direction !== direction || last.data.epoch !== row.epoch) return undefined;
  const verify =
    lastVerification(events) === undefined ? ' Both sides were not compared since: pgglide verify' : '';
  const note = `Nothing was done: this ${direction} was done at ${last.at}.${verify}`;
  return { summary: last.data, verification: undefined, note };
}

/** Undone or unfinished: the intent stays for the next command wherever something is left to do. */
async function giveUp(session: Session, context: Switchover, error: unknown): Promise<never> {
  const { isCommitted, isUndone } = context.facts;
  if (isCommitted) throw error;
  if (isUndone) await saveIntent(session.target, session.migration, undefined).catch(() => undefined);
  return reportAbort(context, error);
}

const announce = ({ events, direction, from, to, epoch }: Switchover): Promise<void> =>
  events.emit('switchover-started', { direction, from, to, epoch });

async function reportAbort(context: Switchover, error: unknown): Promise<never> {
  const { direction, facts, events } = context;
  const code = error instanceof PgglideError ? error.code : 'unexpected';
  const message = messageOf(error);
  await events.emit('switchover-aborted', {
    direction,
    step: facts.lastStep,
    code,
    message,
    pauseMs: facts.pauseMs,
  });
  throw error;
}
