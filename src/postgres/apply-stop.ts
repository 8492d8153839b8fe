/** A subscription that stopped at a change it cannot apply: what, where, and what to do. */

import { ReplicationError } from '../domain/errors.ts';
import type { LaneNames } from '../domain/names.ts';
import { type ApplyConflict, findConflict } from './apply-conflict.ts';
import type { Connection } from './connection.ts';
import { type FailingTransaction, failingTransaction } from './failing-transaction.ts';
import type { SubscriptionState } from './subscription.ts';

export interface ApplyStop {
  /** "at 0/1A2B3C (transaction 777): the row of public.t with ... is there already" */
  readonly text: string;
  readonly hint: string;
  readonly transaction: FailingTransaction | undefined;
  readonly conflict: ApplyConflict | undefined;
}

/** Reads only. For a disabled subscription; what cannot be found out is left out. */
export async function explainApplyStop(
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
    text: inWords(transaction, conflict),
    hint: hintFor(lane, transaction, conflict),
    transaction,
    conflict,
  };
}

function inWords(transaction: FailingTransaction | undefined, conflict: ApplyConflict | undefined): string {
  if (transaction === undefined) return 'at a change that could not be found out';
  const where = `at ${transaction.finishLsn} (transaction ${transaction.xid} of the publisher, ${transaction.changeCount} changes)`;
  return conflict === undefined
    ? `${where}: the subscriber’s server log says why`
    : `${where}: ${conflict.text}`;
}

function hintFor(
  lane: LaneNames,
  transaction: FailingTransaction | undefined,
  conflict: ApplyConflict | undefined,
): string {
  const mend =
    conflict?.remedy === undefined
      ? 'Mend what stands in the way.'
      : `Find out who wrote it, and take it away on the subscriber: ${conflict.remedy}`;
  if (lane.link === 'reverse')
    return `${mend} Then, on the source: ALTER SUBSCRIPTION ${lane.subscription} ENABLE;`;
  const skip =
    transaction === undefined
      ? ''
      : ` To leave the whole transaction out instead: pgglide sync --skip-lsn ${transaction.finishLsn}, then pgglide verify --repair TABLE.`;
  return `${mend} Then: pgglide sync.${skip}`;
}

/** @throws {ReplicationError} `apply_stopped`, always */
export async function throwApplyStopped(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  subscription: SubscriptionState | undefined,
): Promise<never> {
  if (subscription === undefined) {
    throw new ReplicationError('apply_stopped', `Subscription ${lane.subscription} is missing`, {
      hint: 'Run pgglide sync: it is created again.',
      facts: { subscription: lane.subscription },
    });
  }
  const stop = await explainApplyStop(publisher, subscriber, lane, subscription);
  const { transaction, conflict } = stop;
  throw new ReplicationError('apply_stopped', `Subscription ${subscription.name} stopped ${stop.text}`, {
    hint: stop.hint,
    facts: {
      subscription: subscription.name,
      lsn: transaction?.finishLsn,
      table: conflict?.table,
      key: conflict?.key,
      kind: conflict?.kind,
    },
  });
}
