/** Which tables a link carries: it knows them by their oids, so that one made anew under an old name is not among them. */

import { type LinkName, OWN_SCHEMA, qualified, type TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { existingLanes } from './lane.ts';
import { sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

/** Of one link, qualified() names. */
export interface LinkedTables {
  /** By the publications of its lanes. */
  readonly published: ReadonlySet<string>;
  /** By their subscriptions: what another table sends, the apply worker skips without a word. */
  readonly followed: ReadonlySet<string>;
  /** Those, and the ones whose rows PostgreSQL is still bringing over. */
  readonly subscribed: ReadonlySet<string>;
  /** Whether each lane has its subscription. */
  readonly isSubscribed: boolean;
}

export async function linkedTables(
  publisher: Connection,
  subscriber: Connection,
  migration: string,
  link: LinkName,
): Promise<LinkedTables> {
  const lanes = await existingLanes(publisher, migration, link);
  const subscriptions = lanes.map(({ subscription }) => subscription);
  const publications = lanes.map(({ publication }) => publication);
  const [published, states, subscribed] = await Promise.all([
    publishedBy(publisher, publications),
    tableStates(subscriber, subscriptions),
    countSubscriptions(subscriber, subscriptions),
  ]);
  return {
    published,
    followed: new Set([...states].filter(([, state]) => state === READY).map(([table]) => table)),
    subscribed: new Set(states.keys()),
    isSubscribed: subscribed === lanes.length,
  };
}

async function publishedBy(publisher: Connection, publications: readonly string[]): Promise<Set<string>> {
  const rows = await publisher.query<TableName>(sql`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = ANY (${publications}::text[]) AND n.nspname <> ${OWN_SCHEMA}`);
  return new Set(rows.map(qualified));
}

const READY = 'r';

/** By qualified() name: `i`, `d`, `f` and `s` come before `r`. @see https://www.postgresql.org/docs/current/catalog-pg-subscription-rel.html */
export async function tableStates(
  subscriber: Connection,
  subscriptions: readonly string[],
): Promise<Map<string, string>> {
  const rows = await subscriber.query<TableName & { readonly state: string }>(sql`
    SELECT n.nspname AS schema, c.relname AS name, r.srsubstate::text AS state
    FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE s.subname = ANY (${subscriptions}::text[]) AND ${OF_THIS_DATABASE} AND n.nspname <> ${OWN_SCHEMA}`);
  return new Map(rows.map((row) => [qualified(row), row.state]));
}

async function countSubscriptions(subscriber: Connection, subscriptions: readonly string[]): Promise<number> {
  const { count } = await subscriber.one<{ count: number }>(sql`
    SELECT count(*) AS count FROM pg_subscription s
    WHERE s.subname = ANY (${subscriptions}::text[]) AND ${OF_THIS_DATABASE}`);
  return count;
}

export const isLinked = ({ published, followed }: LinkedTables, table: TableName): boolean =>
  published.has(qualified(table)) && followed.has(qualified(table));
