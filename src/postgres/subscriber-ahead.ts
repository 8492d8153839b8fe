/**
 * A publisher that has gone back in time: restored from a snapshot of its disk, say, where slot and system identifier are as before.
 * PostgreSQL then leaves out, without a word, all that it writes until it is where its subscriber has been before.
 */

import type { Lsn } from '../domain/lsn.ts';
import type { LaneNames } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { appliedLsn } from './failing-transaction.ts';
import { sql } from './sql.ts';
import { subscriptionState } from './subscription.ts';

export interface Ahead {
  /** Of the publisher's WAL, what the subscriber has taken over. */
  readonly appliedLsn: Lsn;
  /** Where it ends. */
  readonly writtenLsn: Lsn;
}

/**
 * A publisher sends what it has flushed, and no more: the subscriber is never ahead by as much as a byte. The subscriber is asked
 * first, for both go on meanwhile. Where our role may not see how far it is, what it has told the slot counts, which is as much
 * once its worker has connected again. Reads only.
 *
 * @returns undefined where it is not ahead, the lane has no slot that could send anything, or the publisher is a standby
 */
export async function subscriberAhead(
  publisher: Connection,
  subscriber: Connection,
  { slot, subscription }: LaneNames,
): Promise<Ahead | undefined> {
  const state = await subscriptionState(subscriber, subscription);
  const applied = state === undefined ? undefined : await appliedLsn(subscriber, state);
  const [ahead] = await publisher.query<Ahead>(sql`
    SELECT greatest(confirmed_flush_lsn, ${applied ?? null}::pg_lsn)::text AS "appliedLsn", pg_current_wal_flush_lsn()::text AS "writtenLsn"
    FROM pg_replication_slots
    WHERE slot_name = ${slot} AND wal_status <> 'lost'
      AND CASE WHEN pg_is_in_recovery() THEN false
        ELSE greatest(confirmed_flush_lsn, ${applied ?? null}::pg_lsn) > pg_current_wal_flush_lsn() END`);
  return ahead;
}
