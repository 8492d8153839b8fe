/** The transaction at which a subscription stopped, found by looking ahead on its slot. */

import { until } from '../base/async.ts';
import { type Lsn, lsnDistanceBytes } from '../domain/lsn.ts';
import type { LaneNames } from '../domain/names.ts';
import { type PgoutputMessage, type PublishedRelation, readPgoutput } from '../domain/pgoutput.ts';
import { type Connection, sqlState } from './connection.ts';
import { literal, sql } from './sql.ts';
import { originName, type SubscriptionState } from './subscription.ts';

export interface RowChange {
  readonly type: 'insert' | 'update' | 'delete';
  readonly relation: PublishedRelation;
  readonly before: Extract<PgoutputMessage, { type: 'insert' | 'update' | 'delete' }>['before'];
  readonly after: Extract<PgoutputMessage, { type: 'insert' | 'update' | 'delete' }>['after'];
}

export interface FailingTransaction {
  /** What ALTER SUBSCRIPTION ... SKIP takes. */
  readonly finishLsn: Lsn;
  /** On the publisher. */
  readonly xid: number;
  /** At most MOST_CHANGES. */
  readonly changes: readonly RowChange[];
  readonly changeCount: number;
}

const MOST_CHANGES = 1_000;
const PEEK_TIMEOUT_MS = 20_000;
const SLOT_FREE_TIMEOUT_MS = 5_000;
/** The slot may lag behind what is applied: so many changes are looked at before we say that we do not know. */
const LOOK_AHEAD: readonly number[] = [1, 1_000, 100_000];
const OBJECT_IN_USE = '55006';

/**
 * The first transaction that the subscriber has not taken over. Reads only; the slot is not moved. Call it while the
 * subscription stands still: a worker that runs has the slot.
 *
 * @returns undefined when there is none, or when it cannot be told in 20 s
 * @see https://www.postgresql.org/docs/current/logical-replication-conflicts.html
 */
export async function failingTransaction(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
  subscription: SubscriptionState,
): Promise<FailingTransaction | undefined> {
  const applied = await appliedLsn(subscriber, subscription);
  for (const changes of LOOK_AHEAD) {
    const messages = await peekWhenFree(publisher, lane, changes);
    const found = firstAfter(messages, applied);
    if (found !== undefined || messages.length < changes) return found;
  }
  return undefined;
}

/** Undefined where our role may not see it: then the slot's own position counts. */
export async function appliedLsn(
  subscriber: Connection,
  subscription: SubscriptionState,
): Promise<Lsn | undefined> {
  const progress = sql`SELECT pg_replication_origin_progress(${originName(subscription)}, false)::text AS lsn`;
  const [row] = await subscriber.query<{ lsn: Lsn | null }>(progress).catch(() => []);
  return row?.lsn ?? undefined;
}

/** The walsender of the worker that stopped still holds the slot for a moment. */
async function peekWhenFree(
  publisher: Connection,
  lane: LaneNames,
  changes: number,
): Promise<PgoutputMessage[]> {
  const attempt = async () => {
    try {
      return await peek(publisher, lane, changes);
    } catch (error) {
      if (sqlState(error) === OBJECT_IN_USE) return undefined;
      throw error;
    }
  };
  return until(`slot ${lane.slot} to be free`, attempt, { timeoutMs: SLOT_FREE_TIMEOUT_MS, intervalMs: 50 });
}

/** Whole transactions, until at least so many messages have come. */
async function peek(publisher: Connection, lane: LaneNames, changes: number): Promise<PgoutputMessage[]> {
  const rows = await publisher.transaction(async () => {
    await publisher.script(sql`SET LOCAL statement_timeout = ${literal(`${PEEK_TIMEOUT_MS}ms`)}`);
    return publisher.query<{ data: Uint8Array }>(sql`
      SELECT data FROM pg_logical_slot_peek_binary_changes(${lane.slot}, NULL, ${changes}::int,
        'proto_version', '1', 'publication_names', ${lane.publication})`);
  });
  return rows.map(({ data }) => readPgoutput(data));
}

/** Empty transactions, which servers before 15 send too, cannot fail. */
function firstAfter(
  messages: readonly PgoutputMessage[],
  applied: Lsn | undefined,
): FailingTransaction | undefined {
  // A relation is described before its first change, which may be in an earlier transaction.
  const relations = new Map<number, PublishedRelation>();
  let begin: { readonly finishLsn: Lsn; readonly xid: number } | undefined;
  let changes: RowChange[] = [];
  let changeCount = 0;
  for (const message of messages) {
    if (message.type === 'relation') relations.set(message.relation.id, message.relation);
    if (message.type === 'begin') {
      begin = isApplied(message.finishLsn, applied) ? undefined : message;
      [changes, changeCount] = [[], 0];
    }
    if (begin === undefined) continue;
    if (message.type === 'commit' && changeCount > 0) return { ...begin, changes, changeCount };
    if (message.type === 'truncate') changeCount += 1;
    if (message.type !== 'insert' && message.type !== 'update' && message.type !== 'delete') continue;
    changeCount += 1;
    const relation = relations.get(message.relationId);
    if (relation !== undefined && changes.length < MOST_CHANGES) changes.push({ ...message, relation });
  }
  return undefined;
}

/** The applied position is the end of a transaction's commit record, its finish is where that record begins. */
export const isApplied = (finishLsn: Lsn, applied: Lsn | undefined): boolean =>
  applied !== undefined && lsnDistanceBytes(applied, finishLsn) < 0;
