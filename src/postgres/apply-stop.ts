/** A subscription that stopped at a change it cannot apply: what, where, and what to do. */

import { DeadlineError, until } from '../base/async.ts';
import { ReplicationError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import { type ApplyConflict, findConflict } from './apply-conflict.ts';
import type { Connection } from './connection.ts';
import { appliedLsn, type FailingTransaction, failingTransaction, isApplied } from './failing-transaction.ts';
import { type SubscriptionState, subscriptionState } from './subscription.ts';

export interface ApplyStop {
  /** "at 0/1A2B3C (transaction 777): the row of public.t with ... is there already" */
  readonly text: string;
  readonly hint: string;
  readonly transaction: FailingTransaction | undefined;
  readonly conflict: ApplyConflict | undefined;
}

/** PostgreSQL begins again after wal_retrieve_retry_interval, 5 s unless set otherwise. */
const TWO_ATTEMPTS_MS = 15_000;
const LOOK_EVERY_MS = 200;

/**
 * Whether the subscription stands still, and why. One whose connection broke does not count: it comes back by itself.
 * Waits until the worker works again or has failed twice at the same place, unless it is clear at once. Reads only.
 *
 * @returns undefined when it works
 */
export async function findApplyStop(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  signal?: AbortSignal,
): Promise<ApplyStop | undefined> {
  const seen = await glanceAtApply(publisher, subscriber, lane, signal);
  if (seen === undefined) return undefined;
  if (seen.isCertain) return seen.stop;
  return (await failsAgain(subscriber, lane, seen, signal)) ? seen.stop : undefined;
}

export interface Standstill {
  readonly subscription: SubscriptionState;
  readonly stop: ApplyStop;
  /** It was switched off, or a row was found that does not fit. */
  readonly isCertain: boolean;
}

/** As `findApplyStop`, at the moment: what is not certain may be over in some seconds. */
export async function glanceAtApply(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  signal?: AbortSignal,
): Promise<Standstill | undefined> {
  const subscription = await settledState(subscriber, lane, signal);
  if (subscription === undefined || works(subscription)) return undefined;
  const { isEnabled, isSkipping, applyErrors } = subscription;
  // Nothing has failed yet: the server is about to start it.
  if (isEnabled && applyErrors === 0) return { subscription, stop: UNKNOWN, isCertain: false };
  const stop = await explainApplyStop(publisher, subscriber, lane, subscription);
  const passed = await hasPassed(subscriber, subscription, stop.transaction);
  if (passed === true) return undefined;
  const isFound = stop.conflict !== undefined && passed === false;
  return { subscription, stop, isCertain: !isEnabled || (isFound && !isSkipping) };
}

/**
 * A worker that came back while we looked has put the transaction's rows there itself: they would look like what stands
 * in its way. Undefined where that cannot be told.
 */
async function hasPassed(
  subscriber: Connection,
  subscription: SubscriptionState,
  transaction: FailingTransaction | undefined,
): Promise<boolean | undefined> {
  if (transaction === undefined) return undefined;
  const applied = await appliedLsn(subscriber, subscription);
  return applied === undefined ? undefined : isApplied(transaction.finishLsn, applied);
}

const works = ({ isSteady, isRunning, applyErrors }: SubscriptionState): boolean =>
  isSteady || (isRunning && applyErrors === 0);

/** A worker that has just begun may be one that is about to fail. */
async function settledState(
  subscriber: Connection,
  lane: LaneNames,
  signal: AbortSignal | undefined,
): Promise<SubscriptionState | undefined> {
  const settled = until(
    `what becomes of the worker of ${lane.subscription}`,
    async () => {
      const state = await subscriptionState(subscriber, lane.subscription);
      return state === undefined || works(state) || !state.isRunning ? { state } : undefined;
    },
    { timeoutMs: TWO_ATTEMPTS_MS, intervalMs: LOOK_EVERY_MS, signal },
  );
  return (await settled).state;
}

/** A worker may take longer to fail than one that works takes to look steady: what it stands at has to be behind it. */
async function failsAgain(
  subscriber: Connection,
  lane: LaneNames,
  { subscription: first, stop }: Standstill,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const position = await appliedLsn(subscriber, first);
  const failuresSince = (state: SubscriptionState) => (state.applyErrors ?? 0) - (first.applyErrors ?? 0);
  let last = first;
  const look = async (): Promise<boolean | undefined> => {
    const state = await subscriptionState(subscriber, lane.subscription);
    if (state === undefined) return false;
    if (!state.isEnabled) return true;
    if ((await appliedLsn(subscriber, state)) !== position) return false;
    last = state;
    // Of the two, one may be the loss of the connection that brought us here.
    if (failuresSince(state) >= 2) return true;
    return stop.transaction === undefined && works(state) ? false : undefined;
  };
  try {
    return await until('a second attempt', look, {
      timeoutMs: TWO_ATTEMPTS_MS,
      intervalMs: LOOK_EVERY_MS,
      signal,
    });
  } catch (error) {
    if (error instanceof DeadlineError) return failuresSince(last) > 0 || !works(last);
    throw error;
  }
}

/** For a subscription that stands still; what cannot be found out is left out. */
async function explainApplyStop(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  subscription: SubscriptionState,
): Promise<ApplyStop> {
  const transaction = await failingTransaction(publisher, subscriber, lane, subscription).catch(
    () => undefined,
  );
  const conflict =
    transaction === undefined
      ? undefined
      : await findConflict(subscriber, transaction).catch(() => undefined);
  return {
    text: stopInWords(transaction, conflict),
    hint: hintFor(lane, transaction, conflict),
    transaction,
    conflict,
  };
}

function stopInWords(
  transaction: FailingTransaction | undefined,
  conflict: ApplyConflict | undefined,
): string {
  if (transaction === undefined) return 'at a change that could not be found out';
  const where = `at ${transaction.finishLsn} (transaction ${transaction.xid} of the publisher, ${transaction.changeCount} changes)`;
  return conflict === undefined
    ? `${where}: the subscriber’s server log says why`
    : `${where}: ${conflict.text}`;
}

const UNKNOWN: ApplyStop = {
  text: 'before it began',
  hint: 'The subscriber’s server log says why its worker does not start; see max_logical_replication_workers there.',
  transaction: undefined,
  conflict: undefined,
};

const GOES_ON = 'PostgreSQL tries it again every few seconds: then it goes on by itself.';

function hintFor(
  lane: LaneNames,
  transaction: FailingTransaction | undefined,
  conflict: ApplyConflict | undefined,
): string {
  const mend =
    conflict?.remedy === undefined
      ? 'Mend what stands in the way.'
      : `Find out who wrote it, and take it away on the subscriber: ${conflict.remedy}`;
  if (lane.link === 'reverse') return `${mend} ${GOES_ON}`;
  const skip =
    transaction === undefined
      ? ''
      : ` To leave the whole transaction out instead: pgglide sync --skip-lsn ${transaction.finishLsn}, then pgglide verify --repair TABLE.`;
  return `${mend} ${GOES_ON}${skip}`;
}

/** @throws {ReplicationError} `apply_stopped` unless the lane works, or will by itself */
export async function refuseApplyStop(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  signal?: AbortSignal,
): Promise<void> {
  const { subscription } = lane;
  if ((await subscriptionState(subscriber, subscription)) === undefined) {
    throw new ReplicationError('apply_stopped', `Subscription ${subscription} is missing`, {
      hint: 'Run pgglide sync: it is created again.',
      facts: { subscription },
    });
  }
  const stop = await findApplyStop(publisher, subscriber, lane, signal);
  if (stop === undefined) return;
  const { transaction, conflict } = stop;
  throw new ReplicationError('apply_stopped', `Subscription ${subscription} stopped ${stop.text}`, {
    hint: stop.hint,
    facts: {
      subscription,
      lsn: transaction?.finishLsn,
      table: conflict?.table,
      key: conflict?.key,
      kind: conflict?.kind,
    },
  });
}
