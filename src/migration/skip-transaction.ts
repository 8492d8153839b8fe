/** Leaves one transaction out of what the target applies: the one it stopped at, and no other. */

import { DeadlineError, until } from '../base/async.ts';
import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import { type Lsn, lsnToBigInt } from '../domain/lsn.ts';
import { type LaneNames, qualified } from '../domain/names.ts';
import type { StepContext } from '../engine/step.ts';
import { findApplyStop } from '../postgres/apply-stop.ts';
import { withBriefLock } from '../postgres/brief-lock.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { type FailingTransaction, failingTransaction } from '../postgres/failing-transaction.ts';
import { existingLanes } from '../postgres/lane.ts';
import { slotState } from '../postgres/replication-slot.ts';
import { INSUFFICIENT_PRIVILEGE, SYNTAX_ERROR } from '../postgres/sqlstate.ts';
import { skipTransactionSql, subscriptionState } from '../postgres/subscription.ts';

/** The worker begins again within 5 s, unless wal_retrieve_retry_interval says otherwise. */
const PASS_TIMEOUT_MS = 30_000;
/** A worker that applies for so long at a time counts as one that works. */
const SLOT_LEFT_TIMEOUT_MS = 30_000;

/**
 * Tells the stopped subscription to pass over the transaction that finishes at `lsn`. Its rows differ from then on, so a
 * verification from before no longer counts.
 *
 * @throws {RefusedError} `nothing_to_skip`, `not_failing_transaction`: nothing was changed
 * @throws {PrerequisiteError} `skip_not_possible`: before PostgreSQL 15, or without a superuser
 * @see https://www.postgresql.org/docs/current/sql-altersubscription.html (SKIP)
 */
export async function skipTransaction(context: StepContext, lsn: Lsn): Promise<void> {
  const { source, target, migration } = context;
  const lanes = await existingLanes(source, migration, 'forward');
  for (const lane of lanes) {
    const transaction = await standsBefore(context, lane, lsn);
    if (transaction === undefined || lsnToBigInt(transaction.finishLsn) !== lsnToBigInt(lsn)) continue;
    await skip(context, lane.subscription, transaction);
    return;
  }
  const stopped: Lsn[] = [];
  for (const lane of lanes) {
    const stop = await findApplyStop(source, target, lane, context.signal);
    if (stop?.transaction !== undefined) stopped.push(stop.transaction.finishLsn);
  }
  throw refusal(lsn, stopped);
}

/**
 * What the lane has failed to apply, unless it is beyond `lsn` or never failed. A worker that takes its time until it fails
 * looks meanwhile like one that works, so we wait until it leaves the slot.
 */
async function standsBefore(
  { source, target, signal }: StepContext,
  lane: LaneNames,
  lsn: Lsn,
): Promise<FailingTransaction | undefined> {
  const look = async (): Promise<{ found?: FailingTransaction | undefined } | undefined> => {
    const state = await subscriptionState(target, lane.subscription);
    if (state === undefined || (state.isEnabled && state.applyErrors === 0)) return {};
    const confirmed = (await slotState(source, lane.slot))?.confirmedFlushLsn;
    if (confirmed === undefined || lsnToBigInt(confirmed) > lsnToBigInt(lsn)) return {};
    try {
      return { found: await failingTransaction(source, target, lane, state) };
    } catch (error) {
      if (error instanceof DeadlineError) return undefined;
      throw error;
    }
  };
  const standing = until(`${lane.slot} to be left by its worker`, look, {
    timeoutMs: SLOT_LEFT_TIMEOUT_MS,
    signal,
  }).catch((error: unknown) => {
    if (error instanceof DeadlineError) return { found: undefined };
    throw error;
  });
  return (await standing).found;
}

async function skip(
  { target, events, signal }: StepContext,
  subscription: string,
  { finishLsn, changes, changeCount }: FailingTransaction,
): Promise<void> {
  await withBriefLock(target, skipTransactionSql(subscription, finishLsn), { signal }).catch(
    (error: unknown) => {
      throw explained(error);
    },
  );
  await untilPassed(target, subscription, signal);
  const tables = [...new Set(changes.map(({ relation }) => qualified(relation)))];
  await events.emit('warning', {
    code: 'transaction_skipped',
    message: `The transaction that finishes at ${finishLsn} is left out: ${changeCount} changes of ${tables.join(', ')}`,
    hint: `Both sides differ in them. Then: ${tables.map((table) => `pgglide verify --repair ${table}`).join('; ')}`,
  });
}

/** Until then it would look as if it still stood there. A disabled subscription is for `subscribe` to start. */
async function untilPassed(target: Connection, subscription: string, signal: AbortSignal): Promise<void> {
  const passed = until(
    `${subscription} to pass over the transaction`,
    async () => {
      const state = await subscriptionState(target, subscription);
      return state?.isSkipping && state.isEnabled ? undefined : true;
    },
    { timeoutMs: PASS_TIMEOUT_MS, intervalMs: 100, signal },
  );
  await passed.catch(() => signal.throwIfAborted());
}

function refusal(lsn: Lsn, stopped: readonly Lsn[]): RefusedError {
  if (stopped.length === 0) {
    return new RefusedError('nothing_to_skip', 'No subscription of this migration stands at a transaction', {
      hint: 'Nothing was changed. pgglide status tells how the link is.',
    });
  }
  const found = stopped.join(', ');
  return new RefusedError(
    'not_failing_transaction',
    `The target stopped at ${found}, not at ${lsn}: nothing was left out`,
    { hint: 'pgglide status shows what it stopped at.', facts: { asked: lsn, found } },
  );
}

function explained(error: unknown): unknown {
  const state = sqlState(error) ?? '';
  if (state !== INSUFFICIENT_PRIVILEGE && state !== SYNTAX_ERROR) return error;
  return new PrerequisiteError(
    'skip_not_possible',
    state === SYNTAX_ERROR
      ? 'Before PostgreSQL 15 a subscriber cannot skip a transaction'
      : 'Our role on the target may not skip a transaction: that takes a superuser',
    { hint: 'Mend what stands in its way instead, then: pgglide sync.', cause: error },
  );
}
