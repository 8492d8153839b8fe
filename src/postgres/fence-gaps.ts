/** Where the fence of the side that follows does not stop every write: somebody may have written there. */

import { type LaneNames, OWN_SCHEMA, qualified, type Side } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { FENCE_TRIGGER, type FencedRelation, hangFenceSql, isFenceRaised, raiseFenceSql } from './fence.ts';
import type { Alteration } from './lane-shape.ts';
import { publishedByLanes } from './publication.ts';
import { list, sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

/** Once all has been fenced: of a sync that is under way everything is still open. Reads only. */
export async function fenceGaps(
  publisher: Connection,
  subscriber: Connection,
  side: Side,
  lanes: readonly LaneNames[],
): Promise<Alteration[]> {
  const [followed, published, isRaised] = await Promise.all([
    openRelations(subscriber, lanes),
    publishedByLanes(publisher, lanes),
    isFenceRaised(subscriber),
  ]);
  // What the scope leaves out since is still followed, and not sent.
  const sent = new Set(published.flat().map(qualified));
  const open = followed.filter((table) => sent.has(qualified(table)));
  const found: Alteration[] = [];
  const add = (text: string, mend: Alteration['mend']) => found.push({ text, on: 'subscriber', mend });
  if (open.length > 0) {
    const tables = open.length === 1 ? '1 table' : `${open.length} tables`;
    const mend = list(open.map(hangFenceSql), '; ');
    add(`the fence of ${tables} of the ${side} does not stop every write`, mend);
  }
  if (!isRaised) add(`the fence of the ${side} is down`, raiseFenceSql());
  return found;
}

/** Of what the lanes bring: their own triggers. A partition is reached through its root, too, and may be new. */
const openRelations = (subscriber: Connection, lanes: readonly LaneNames[]): Promise<FencedRelation[]> =>
  subscriber.query<FencedRelation>(sql`
    SELECT n.nspname AS schema, c.relname AS name, CASE WHEN t.oid IS NULL THEN 'absent' ELSE 'open' END AS trigger
    FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = ${FENCE_TRIGGER}
    WHERE s.subname = ANY (${lanes.map(({ subscription }) => subscription)}::text[]) AND ${OF_THIS_DATABASE}
      AND n.nspname <> ${OWN_SCHEMA} AND t.tgenabled IS DISTINCT FROM 'A'
    ORDER BY 1, 2`);
