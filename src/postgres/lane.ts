/** The lanes of a link as they exist on its publisher, or on its subscriber. */

import { type LaneNames, type LinkName, laneNames, linkPrefix } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { type Sql, sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

/** Those that it publishes, in order of their number; empty before the first sync. */
export const existingLanes = (
  publisher: Connection,
  migration: string,
  link: LinkName,
): Promise<LaneNames[]> => lanesAmong(publisher, migration, link, sql`SELECT pubname FROM pg_publication`);

/** Those that it follows, whether the publisher can be asked or not. */
export const followedLanes = (
  subscriber: Connection,
  migration: string,
  link: LinkName,
): Promise<LaneNames[]> =>
  lanesAmong(subscriber, migration, link, sql`SELECT subname FROM pg_subscription WHERE ${OF_THIS_DATABASE}`);

async function lanesAmong(
  connection: Connection,
  migration: string,
  link: LinkName,
  names: Sql,
): Promise<LaneNames[]> {
  const prefix = laneNames(migration, link, 0).publication.slice(0, -1);
  const rows = await connection.query<{ lane: number }>(sql`
    SELECT substr(name, ${prefix.length + 1}::int)::int AS lane
    FROM (${names}) AS lanes(name)
    WHERE starts_with(name, ${prefix}) AND substr(name, ${prefix.length + 1}::int) ~ '^[0-9]+$'
    ORDER BY 1`);
  return rows.map(({ lane }) => laneNames(migration, link, lane));
}

/** Whether another migration publishes from this database or subscribes in it. */
export async function hasOtherLinks(connection: Connection, migration: string): Promise<boolean> {
  const found = await connection.query(sql`
    SELECT FROM (
      SELECT pubname FROM pg_publication UNION ALL
      SELECT subname FROM pg_subscription
      WHERE ${OF_THIS_DATABASE}) AS link(name)
    WHERE starts_with(name, 'pgglide_') AND NOT starts_with(name, ${linkPrefix(migration)})`);
  return found.length > 0;
}
