/**
 * How a lane was when it was last known to be right, noted on its subscription. An ALTER of subscription or publication shows
 * afterwards, also one that was taken back: while a subscription is disabled, its slot may be advanced, or made anew.
 */

import type { LaneNames } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { ident, literal, sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

const AS_OF = 'as of ';

export interface LaneNote {
  readonly noted: string | undefined;
  readonly now: string;
}

/** By the transactions that wrote their rows in the catalogs last. Undefined where either is not there, or our role may not see it. */
export async function readLaneNote(
  publisher: Connection,
  subscriber: Connection,
  { publication, subscription }: LaneNames,
): Promise<LaneNote | undefined> {
  const { may } = await subscriber.one<{ may: boolean }>(
    sql`SELECT has_column_privilege('pg_subscription', 'xmin', 'SELECT') AS may`,
  );
  if (!may) return undefined;
  const [made] = await publisher.query<{ xid: string }>(
    sql`SELECT xmin::text AS xid FROM pg_publication WHERE pubname = ${publication}`,
  );
  const [followed] = await subscriber.query<{ xid: string; comment: string | null }>(sql`
    SELECT xmin::text AS xid, obj_description(oid, 'pg_subscription') AS comment
    FROM pg_subscription WHERE subname = ${subscription} AND ${OF_THIS_DATABASE}`);
  if (made === undefined || followed === undefined) return undefined;
  const { xid, comment } = followed;
  const noted = comment?.startsWith(AS_OF) ? comment.slice(AS_OF.length) : undefined;
  return { noted, now: `${made.xid}/${xid}` };
}

/** One that was made before lanes were noted has not been altered, as far as can be told. */
export const isAsNoted = (note: LaneNote | undefined): boolean =>
  note?.noted === undefined || note.noted === note.now;

export async function noteLane(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
): Promise<void> {
  const note = await readLaneNote(publisher, subscriber, lane);
  if (note === undefined || note.noted === note.now) return;
  await withBriefLock(
    subscriber,
    sql`COMMENT ON SUBSCRIPTION ${ident(lane.subscription)} IS ${literal(AS_OF + note.now)}`,
  );
}
