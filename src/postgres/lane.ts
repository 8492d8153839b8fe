/** The lanes of a link as they exist on its publisher. */

import { type LaneNames, type LinkName, laneNames, linkPrefix } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

/** In order of their number; empty before the first sync. */
export async function existingLanes(
  publisher: Connection,
  migration: string,
  link: LinkName,
): Promise<LaneNames[]> {
  const prefix = laneNames(migration, link, 0).publication.slice(0, -1);
  const rows = await publisher.query<{ lane: number }>(sql`
    SELECT substr(pubname, ${prefix.length + 1}::int)::int AS lane
    FROM pg_publication WHERE starts_with(pubname, ${prefix}) AND substr(pubname, ${prefix.length + 1}::int) ~ '^[0-9]+$'
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
