/** The transaction at which a subscription stopped, found by looking ahead on its slot. */

import { until } from '../base/async.ts';
import { type Lsn, lsnDistanceBytes } from '../domain/lsn.ts';
import type { LaneNames } from '../domain/names.ts';
import { type PgoutputMessage, type PublishedRelation, readPgoutput } from '../domain/pgoutput.ts';
import { type Connection, sqlState } from './connection.ts';
import { literal, sql } from './sql.ts';
import { OBJECT_IN_USE } from './sqlstate.ts';
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
  /** The first ones: at most MOST_CHANGES, and no more than MOST_BYTES. */
  readonly changes: readonly RowChange[];
  readonly changeCount: number;
}

const MOST_CHANGES = 1_000;
/** Of the changes that are shown. */
const MOST_BYTES = 32 * 1024 * 1024;
const PEEK_TIMEOUT_MS = 20_000;
const SLOT_FREE_TIMEOUT_MS = 5_000;
/** The slot may lag behind what is applied: so many changes are looked at before we say that we do not know. */
const LOOK_AHEAD: readonly number[] = [1, 1_000, 100_000];

/** Of each publisher's session and slot the last answer, with what was applied then: while that stands still, it holds. */
const known = new WeakMap<
  Connection,
  Map<string, { readonly applied: Lsn; readonly found: FailingTransaction }>
>();

/**
 * The first transaction that the subscriber has not taken over. Reads only; the slot is not moved. Call it while the
 * subscription stands still: a worker that runs has the slot. A large transaction keeps the slot for some seconds, and
 * its worker from the next attempt: asked again, the answer is remembered.
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
  const before = known.get(publisher)?.get(lane.slot);
  if (before !== undefined && before.applied === applied) return before.found;
  const found = await firstAfter(publisher, lane, applied);
  if (found === undefined || applied === undefined) return found;
  const ofSession = known.get(publisher) ?? new Map();
  known.set(publisher, ofSession.set(lane.slot, { applied, found }));
  return found;
}

async function firstAfter(
  publisher: Connection,
  lane: LaneNames,
  applied: Lsn | undefined,
): Promise<FailingTransaction | undefined> {
  for (const messages of LOOK_AHEAD) {
    const peeked = await peekWhenFree(publisher, lane, applied, messages);
    if (peeked.changeCount !== undefined) return readTransaction(peeked.messages, peeked.changeCount);
    if (peeked.messageCount < messages) return undefined;
  }
  return undefined;
}

/** Undefined where our role may not see it: then the slot's own position counts. Asked first, for a refusal goes into the server's log. */
export async function appliedLsn(
  subscriber: Connection,
  subscription: SubscriptionState,
): Promise<Lsn | undefined> {
  const { may } = await subscriber.one<{ may: boolean }>(
    sql`SELECT has_function_privilege('pg_replication_origin_progress(text, boolean)', 'EXECUTE') AS may`,
  );
  if (!may) return undefined;
  const progress = sql`SELECT pg_replication_origin_progress(${originName(subscription)}, false)::text AS lsn`;
  const [row] = await subscriber.query<{ lsn: Lsn | null }>(progress).catch(() => []);
  return row?.lsn ?? undefined;
}

interface Peeked {
  /** All that the slot had to send. */
  readonly messageCount: number;
  /** Of the first transaction that counts; undefined when there is none among them. */
  readonly changeCount: number | undefined;
  /** Its begin and its first changes, and every relation that was described before. */
  readonly messages: readonly PgoutputMessage[];
}

/** The walsender of the worker that stopped still holds the slot for a moment. */
async function peekWhenFree(
  publisher: Connection,
  lane: LaneNames,
  applied: Lsn | undefined,
  messages: number,
): Promise<Peeked> {
  const attempt = async () => {
    try {
      return await peek(publisher, lane, applied, messages);
    } catch (error) {
      if (sqlState(error) === OBJECT_IN_USE) return undefined;
      throw error;
    }
  };
  return until(`slot ${lane.slot} to be free`, attempt, { timeoutMs: SLOT_FREE_TIMEOUT_MS, intervalMs: 50 });
}

/**
 * Whole transactions, until at least so many messages have come; they stay on the server, but for what is shown. The position
 * of a commit message is the end of its record, as the applied one is. Empty transactions, which servers before 15 send
 * too, cannot fail.
 */
async function peek(
  publisher: Connection,
  { slot, publication }: LaneNames,
  applied: Lsn | undefined,
  messages: number,
): Promise<Peeked> {
  const rows = await publisher.transaction(async () => {
    await publisher.script(sql`SET LOCAL statement_timeout = ${literal(`${PEEK_TIMEOUT_MS}ms`)}`);
    return publisher.query<{ messages: number; changes: number | null; data: Uint8Array | null }>(sql`
      WITH message AS MATERIALIZED (
        SELECT n, lsn, xid::text AS xid, chr(get_byte(data, 0)) AS type, data
        FROM pg_logical_slot_peek_binary_changes(${slot}, NULL, ${messages}::int,
          'proto_version', '1', 'publication_names', ${publication}) WITH ORDINALITY AS peeked(lsn, xid, data, n)
      ), failing AS (
        SELECT xid, max(n) AS last, count(*) FILTER (WHERE type IN ('I', 'U', 'D', 'T')) AS changes
        FROM message GROUP BY xid
        HAVING bool_or(type IN ('I', 'U', 'D', 'T'))
          AND bool_or(type = 'C' AND (${applied ?? null}::pg_lsn IS NULL OR lsn > ${applied ?? null}::pg_lsn))
        ORDER BY last LIMIT 1
      ), change AS (
        SELECT n, data FROM message JOIN failing USING (xid) WHERE type IN ('I', 'U', 'D')
        ORDER BY n LIMIT ${MOST_CHANGES}::int
      ), shown AS (
        SELECT n, data FROM message JOIN failing USING (xid) WHERE type = 'B'
        UNION ALL
        SELECT n, data FROM message JOIN failing ON n < last WHERE type = 'R'
        UNION ALL
        SELECT n, data FROM (SELECT n, data, sum(octet_length(data)) OVER (ORDER BY n) AS bytes FROM change) AS sized
        WHERE bytes <= ${MOST_BYTES}::int
      )
      SELECT (SELECT count(*) FROM message) AS messages, (SELECT changes FROM failing) AS changes, shown.data
      FROM (SELECT) AS one LEFT JOIN shown ON true ORDER BY shown.n`);
  });
  return {
    messageCount: rows[0]?.messages ?? 0,
    changeCount: rows[0]?.changes ?? undefined,
    messages: rows.flatMap(({ data }) => (data === null ? [] : [readPgoutput(data)])),
  };
}

function readTransaction(
  messages: readonly PgoutputMessage[],
  changeCount: number,
): FailingTransaction | undefined {
  // A relation is described before its first change, which may be in an earlier transaction.
  const relations = new Map<number, PublishedRelation>();
  const changes: RowChange[] = [];
  let begin: { readonly finishLsn: Lsn; readonly xid: number } | undefined;
  for (const message of messages) {
    if (message.type === 'relation') relations.set(message.relation.id, message.relation);
    if (message.type === 'begin') begin = message;
    if (message.type !== 'insert' && message.type !== 'update' && message.type !== 'delete') continue;
    const relation = relations.get(message.relationId);
    if (relation !== undefined) changes.push({ ...message, relation });
  }
  return begin === undefined
    ? undefined
    : { finishLsn: begin.finishLsn, xid: begin.xid, changes, changeCount };
}

/** The applied position is the end of a transaction's commit record, its finish is where that record begins. */
export const isApplied = (finishLsn: Lsn, applied: Lsn | undefined): boolean =>
  applied !== undefined && lsnDistanceBytes(applied, finishLsn) < 0;
