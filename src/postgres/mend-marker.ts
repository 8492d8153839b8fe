/** A marker whose row somebody has deleted, or that went with our schema, would be waited for in vain. */

import { type LaneNames, qualified, type TableName } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { createMarkerTableSql, emptyMarkerSql, renewMarkerSql } from './marker.ts';
import { hasRows } from './present.ts';
import { addTables, publishedTables } from './publication.ts';
import { ident, sql } from './sql.ts';
import { OF_THIS_DATABASE, refreshSubscriptionSql } from './subscription.ts';

/**
 * Its row is made anew on the publisher and comes from there; where all is in place nothing is written. The lane's subscription has
 * to be enabled.
 */
export async function mendMarker(
  publisher: Connection,
  subscriber: Connection,
  { marker, publication, subscription }: LaneNames,
): Promise<void> {
  const isPublished = await publishesMarker(publisher, { publication, marker });
  const isFollowed = await followsMarker(subscriber, { subscription, marker });
  if (
    isPublished &&
    isFollowed &&
    (await holdsRow(publisher, marker)) &&
    (await holdsRow(subscriber, marker))
  )
    return;
  for (const side of [subscriber, publisher]) await side.script(createMarkerTableSql(marker));
  if (!isPublished) await addTables(publisher, publication, [marker]);
  if (!isFollowed) await subscriber.script(refreshSubscriptionSql(subscription, { copyData: false }));
  // It would stand in the way of the one that comes.
  await subscriber.script(emptyMarkerSql(marker));
  await publisher.script(renewMarkerSql(marker));
}

const holdsRow = (side: Connection, { schema, name }: TableName): Promise<boolean> =>
  hasRows(side, ident(schema, name));

export async function publishesMarker(
  publisher: Connection,
  { publication, marker }: Pick<LaneNames, 'publication' | 'marker'>,
): Promise<boolean> {
  const published = (await publishedTables(publisher, publication)) ?? [];
  return published.map(qualified).includes(qualified(marker));
}

export async function followsMarker(
  subscriber: Connection,
  { subscription, marker }: Pick<LaneNames, 'subscription' | 'marker'>,
): Promise<boolean> {
  const found = await subscriber.query(sql`
    SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE s.subname = ${subscription} AND ${OF_THIS_DATABASE} AND n.nspname = ${marker.schema} AND c.relname = ${marker.name}`);
  return found.length > 0;
}
