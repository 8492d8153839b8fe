/** Slots that PostgreSQL makes by itself, one for each table whose rows a subscription copies. */

import { linkPrefix } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

const ANY_SUBSCRIPTION = '[0-9]+';

/**
 * Their names, in this database. Each is called after its subscription's oid and the subscriber's system identifier.
 *
 * @param subscriber as serverIdentity has it
 * @param subscriptions oids; undefined: whosever they are
 * @see https://www.postgresql.org/docs/current/logical-replication-subscription.html#LOGICAL-REPLICATION-SUBSCRIPTION-SLOT
 */
export async function tableSyncSlots(
  publisher: Connection,
  subscriber: string,
  subscriptions?: readonly number[],
): Promise<string[]> {
  const [cluster] = subscriber.split('/');
  const whose = subscriptions === undefined ? ANY_SUBSCRIPTION : `(${['none', ...subscriptions].join('|')})`;
  const rows = await publisher.query<{ name: string }>(sql`
    SELECT slot_name AS name FROM pg_replication_slots
    WHERE slot_name ~ ${`^pg_${whose}_sync_[0-9]+_${cluster}$`} AND database = current_database()`);
  return rows.map(({ name }) => name);
}

/** Oids of a migration's own, in this database. */
export async function ownSubscriptions(subscriber: Connection, migration: string): Promise<number[]> {
  const rows = await subscriber.query<{ oid: number }>(sql`
    SELECT oid::bigint AS oid FROM pg_subscription
    WHERE starts_with(subname, ${linkPrefix(migration)}) AND ${OF_THIS_DATABASE}`);
  return rows.map(({ oid }) => oid);
}
