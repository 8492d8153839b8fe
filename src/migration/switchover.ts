/**
 * Moves the active side. Cutover and rollback are this one piece of code with the sides swapped; a rehearsal is its
 * first half. BEFORE the commit point everything is undone in reverse order; AFTER it everything is repeated until done.
 * Several databases move together: every step is done in all of them before the next begins, and the commit point is one.
 */

import { allOrAborted, DeadlineError, sleep, withDeadline } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import { rounded } from '../base/rounded.ts';
import { LockedError, PgglideError, SwitchoverAbortedError, UnprovenError } from '../domain/errors.ts';
import type { StepTime } from '../domain/event.ts';
import type { Switchover, SwitchoverStep } from '../engine/switchover-step.ts';
import { announceCommit } from '../steps/announce-commit.ts';
import { armReturnLink } from '../steps/arm-return-link.ts';
import { awaitCalm } from '../steps/await-calm.ts';
import { carrySequences } from '../steps/carry-sequences.ts';
import { checkDrift, checkDriftAgain } from '../steps/check-drift.ts';
import { checkLargeObjects } from '../steps/check-large-objects.ts';
import { checkLateDdl } from '../steps/check-late-ddl.ts';
import { checkReadiness } from '../steps/check-readiness.ts';
import { checkRoles } from '../steps/check-roles.ts';
import { commitSwitch } from '../steps/commit-switch.ts';
import { completeFence } from '../steps/complete-fence.ts';
import { drainReplication } from '../steps/drain-replication.ts';
import { fenceOldSide } from '../steps/fence-old-side.ts';
import { hangFenceStep } from '../steps/hang-fence.ts';
import { liftFence } from '../steps/lift-fence.ts';
import { openNewSide } from '../steps/open-new-side.ts';
import { openSessions } from '../steps/open-sessions.ts';
import { LEASE_MS, pauseTraffic } from '../steps/pause-traffic.ts';
import { pinSnapshots } from '../steps/pin-snapshots.ts';
import { prepareHelperIndexes } from '../steps/prepare-helper-indexes.ts';
import { prepareReturnLink } from '../steps/prepare-return-link.ts';
import { prepareTraffic } from '../steps/prepare-traffic.ts';
import { raiseBarrierStep } from '../steps/raise-barrier.ts';
import { rehearseQueries } from '../steps/rehearse-queries.ts';
import { renewAsideRows } from '../steps/renew-aside-rows.ts';
import { renewLargeObjects } from '../steps/renew-large-objects.ts';
import { renewViews } from '../steps/renew-views.ts';
import { resumeTraffic } from '../steps/resume-traffic.ts';
import { retireOutLink } from '../steps/retire-out-link.ts';
import { startReturnLink } from '../steps/start-return-link.ts';
import { warmCache } from '../steps/warm-cache.ts';
import { runStep, undoStep } from './each-database.ts';

type StepGroup = SwitchoverStep | readonly SwitchoverStep[];

/** No stall yet; all of it may be slow. */
export const BEFORE_PAUSE: readonly SwitchoverStep[] = [
  checkReadiness,
  // Before the schema: grants there cannot be made for roles that are missing.
  checkRoles,
  checkDrift,
  hangFenceStep,
  renewAsideRows,
  renewViews,
  renewLargeObjects,
  warmCache,
  prepareHelperIndexes,
  prepareReturnLink,
  openSessions,
  checkDriftAgain,
  rehearseQueries,
  prepareTraffic,
  awaitCalm,
];
/** Requests wait while these run: nothing slow, ended by the pause budget. Steps in a group do not depend on each other and run at once. */
export const PAUSED: readonly StepGroup[] = [
  pauseTraffic,
  raiseBarrierStep,
  [checkLateDdl, drainReplication, announceCommit, carrySequences, checkLargeObjects],
  [pinSnapshots, openNewSide, armReturnLink, fenceOldSide],
  commitSwitch,
];
/** Past the commit point, and requests still wait. */
export const RESUMING: readonly SwitchoverStep[] = [liftFence, resumeTraffic];
/** After the commit point. Each can be repeated, and is, by the next command after a crash. */
export const AFTER_COMMIT: readonly SwitchoverStep[] = [
  ...RESUMING,
  completeFence,
  startReturnLink,
  retireOutLink,
];

const REHEARSED_BEFORE: readonly SwitchoverStep[] = [
  checkReadiness,
  checkRoles,
  checkDrift,
  openSessions,
  checkDriftAgain,
  rehearseQueries,
  prepareTraffic,
  awaitCalm,
];
const REHEARSED_PAUSED: readonly StepGroup[] = [
  pauseTraffic,
  raiseBarrierStep,
  [checkLateDdl, drainReplication, carrySequences],
  [pinSnapshots, openNewSide],
];

const UNDO_TIMEOUT_MS = 10_000;
/** Requests wait for these. What is not undone by then is left to who opens the active side when the owner of a pause is silent. */
const REOPENS: readonly SwitchoverStep[] = [fenceOldSide, raiseBarrierStep];
const REOPEN_TIMEOUT_MS = 3_000;
const RENEW_MS = LEASE_MS / 5;
/** The shortest lease. */
const HANDED_OVER_MS = 1;
/** Requests that were held are answered first, by sessions that are new: what is still to be done then costs them processor time. */
const BREATHER_MS = 150;

/** Runs up to the commit point and through it, or back. Returns the time of every step. */
export async function switchOver(context: Switchover): Promise<StepTime[]> {
  return whileRenewing(context, async () => {
    const times = await upToCommit(context, BEFORE_PAUSE, PAUSED);
    times.push(...(await rollForward(context)));
    return times;
  });
}

/** The stall, measured on the real system, without switching. */
export async function rehearse(context: Switchover): Promise<StepTime[]> {
  const done: SwitchoverStep[] = [];
  return whileRenewing(context, async () => {
    const times = await upToCommit(context, REHEARSED_BEFORE, REHEARSED_PAUSED, done);
    await goBack(context, done);
    return times;
  });
}

async function upToCommit(
  context: Switchover,
  before: readonly SwitchoverStep[],
  paused: readonly StepGroup[],
  begun: SwitchoverStep[] = [],
): Promise<StepTime[]> {
  const times: StepTime[] = [];
  try {
    for (const step of before) {
      context.signal.throwIfAborted();
      begun.push(step);
      times.push(await timed(step, context, false));
    }
    context.signal.throwIfAborted();
    for (const group of paused) {
      const steps = [group].flat();
      begun.push(...steps);
      // Undoing may begin only when nothing of the group runs any more: the first failure ends the others, too.
      const begin = (signal: AbortSignal) =>
        steps.map((step) => withinBudget(step, withSignal(context, signal)));
      times.push(...(await allOrAborted(context.signal, begin)));
    }
    return times;
  } catch (error) {
    // Behind the commit point there is no way back, whatever failed: the caller goes forward.
    if (context.facts.isCommitted) return times;
    const isUnproven = error instanceof UnprovenError;
    // Where the commit point's outcome is unknown, going back could split the writes.
    if (isUnproven && begun.at(-1) === commitSwitch) {
      await tellSteps(context);
      throw error;
    }
    const isOpen = await goBack(context, begun);
    // Proxies that do not agree are told by the next command, which finds that there is something to undo.
    if (isUnproven) context.facts.isUndone = false;
    throw asAborted(error, begun.at(-1), context, isOpen);
  }
}

const withSignal = (context: Switchover, signal: AbortSignal): Switchover => ({
  ...context,
  signal,
  databases: context.databases.map((database) => ({ ...database, signal })),
});

/**
 * Every step is tried, also after one failed: the way back must not wait for a proxy that is down. But traffic does not go onto a
 * side that is shut.
 */
export async function rollForward(context: Switchover): Promise<StepTime[]> {
  const times: StepTime[] = [];
  let failure: unknown;
  for (const step of AFTER_COMMIT) {
    try {
      if (step === completeFence) await sleep(BREATHER_MS);
      if (step === resumeTraffic && failure !== undefined) await handOver(context);
      else times.push(await timedForward(step, context));
    } catch (error) {
      failure ??= error;
      // No slot is given up before the way back runs, and a run that was overtaken touches nothing any more.
      if (step === startReturnLink || isOvertaken(error)) break;
    }
  }
  if (failure !== undefined) throw failure;
  return times;
}

function timedForward(step: SwitchoverStep, context: Switchover): Promise<StepTime> {
  const work = timed(step, context, RESUMING.includes(step));
  return step === liftFence ? orHandedOver(context, work) : work;
}

/** Another run has switched since, or has the lock and finishes this switch: it may be in a pause of its own. */
const isOvertaken = (error: unknown): boolean =>
  error instanceof LockedError || (error instanceof PgglideError && error.code === 'epoch_moved');

/** @returns whether the old side takes writes again */
async function goBack(context: Switchover, begun: readonly SwitchoverStep[]): Promise<boolean> {
  // Traffic first: what else there is to undo must not make requests wait longer.
  const order = [...begun].reverse();
  const urgent = order.filter((step) => REOPENS.includes(step) || step === pauseTraffic);
  const rest = order.filter((step) => !urgent.includes(step));
  context.facts.isUndone = true;
  let isOpen = true;
  for (const step of [...urgent, ...rest]) {
    if (step === rest[0]) await tellSteps(context);
    if (step === pauseTraffic && !isOpen) await handOver(context);
    else if (!(await isPutBack(step, context)) && step === fenceOldSide) isOpen = false;
  }
  return isOpen;
}

async function isPutBack(step: SwitchoverStep, context: Switchover): Promise<boolean> {
  try {
    // A server that stands still must not keep the others from being put back.
    const timeoutMs = REOPENS.includes(step) ? REOPEN_TIMEOUT_MS : UNDO_TIMEOUT_MS;
    await withDeadline(`undoing "${step.title}"`, timeoutMs, undoStep(step, context));
    return true;
  } catch (error) {
    context.facts.isUndone = false;
    await context.events.emit('warning', {
      code: 'undo_failed',
      message: `${step.title}: ${messageOf(error)}`,
      hint: 'The next pgglide command tries it again.',
    });
    return false;
  }
}

/**
 * The side that is active, where the fence still stands, would refuse what was let go. Who looks after a pause whose owner is gone
 * opens that side first, as soon as it answers: it need not wait for the lease.
 */
async function handOver({ traffic, facts }: Switchover): Promise<void> {
  facts.pauseStartedMs = undefined;
  await traffic.renew(HANDED_OVER_MS).catch(() => undefined);
}

/**
 * At the commit point and behind it nothing is given up for being late. But the server may be out of our reach alone: then those who
 * look after pauses open the active side, and we are to them like one that stands still.
 */
async function orHandedOver<T>(context: Switchover, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => void handOver(context), LEASE_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** In the pause nothing is told: requests would wait for it. */
async function timed(step: SwitchoverStep, context: Switchover, paused: boolean): Promise<StepTime> {
  if (!paused) await tellSteps(context);
  const started = performance.now();
  context.facts.lastStep = step.id;
  const note = await runStep(step, context);
  const ended = performance.now();
  const { pauseStartedMs } = context.facts;
  const time: StepTime = {
    id: step.id,
    title: step.title,
    ms: rounded(ended - started),
    paused,
    ...(paused && pauseStartedMs !== undefined ? { heldMs: rounded(ended - pauseStartedMs) } : {}),
    ...(note ? { note } : {}),
  };
  context.facts.untold.push(time);
  if (!paused) await tellSteps(context);
  return time;
}

async function tellSteps({ facts, events, direction }: Switchover): Promise<void> {
  for (const step of facts.untold.splice(0)) await events.emit('switchover-step', { direction, step });
}

/** A server that does not answer must not hold requests past the budget. The commit point resolves itself, so it is not cut. */
async function withinBudget(step: SwitchoverStep, context: Switchover): Promise<StepTime> {
  const work = timed(step, context, true);
  if (step === commitSwitch) return orHandedOver(context, work);
  // The step's own limits (lock_timeout, drain time) end first and say more.
  return withDeadline(step.title, context.remainingMs() + 250, work);
}

/** From the pause to the resume the traffic switch hears from us, or it goes on by itself. A short pause needs no word. */
async function whileRenewing<T>(context: Switchover, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    const { pauseStartedMs, waits } = context.facts;
    if (pauseStartedMs === undefined || waits !== undefined) return;
    if (performance.now() - pauseStartedMs < RENEW_MS) return;
    context.traffic.renew(LEASE_MS).catch(() => undefined);
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function asAborted(
  error: unknown,
  step: SwitchoverStep | undefined,
  context: Switchover,
  isOpen: boolean,
): unknown {
  if (error instanceof SwitchoverAbortedError || context.signal.aborted) return error;
  if (error instanceof PgglideError && error.exitCode !== 1) return error;
  const reason = messageOf(error);
  const isLate = error instanceof DeadlineError;
  return new SwitchoverAbortedError(
    isLate ? 'pause_budget_spent' : 'switchover_failed',
    `${context.direction} given up at "${step?.title ?? 'start'}": ${reason}`,
    {
      hint: `Traffic goes on, on the ${context.from}${isOpen ? '' : ', as soon as it answers'}. ${isLate ? 'Try again when the servers answer faster, or raise cutover.pauseBudget.' : 'Mend the cause, then try again.'}`,
      cause: error,
    },
  );
}
