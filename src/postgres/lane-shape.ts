/**
 * What somebody has changed of a lane that we made. PostgreSQL leaves out what a publication or a subscription is told to leave
 * out, without a word: the link runs, and rows are missing.
 */

import type { LaneNames, TableName } from '../domain/names.ts';
import { qualified } from '../domain/names.ts';
import type { Connection } from './connection.ts';
import { isAsNoted, readLaneNote } from './lane-note.ts';
import { ident, list, type Sql, sql } from './sql.ts';
import { setSlotSql, subscriptionState } from './subscription.ts';

export interface Alteration {
  /** "publication pgglide_... leaves out DELETE" */
  readonly text: string;
  readonly on: 'publisher' | 'subscriber';
  /** What makes it as it was; several statements are for one transaction. Undefined: it is so again. */
  readonly mend: Sql | undefined;
}

/** What is not there at all is for others to say. Reads only. */
export async function laneAlterations(
  publisher: Connection,
  subscriber: Connection,
  lane: LaneNames,
): Promise<Alteration[]> {
  const [ofPublication, ofSubscription, note] = await Promise.all([
    publicationAlterations(publisher, lane),
    subscriptionAlterations(subscriber, lane),
    readLaneNote(publisher, subscriber, lane),
  ]);
  const found = [...ofPublication, ...ofSubscription];
  if (found.length > 0 || isAsNoted(note)) return found;
  const text = `subscription ${lane.subscription} or its publication was altered meanwhile`;
  return [{ text, on: 'subscriber', mend: undefined }];
}

interface PublicationRow {
  /** Operations. */
  readonly leavesOut: readonly string[];
  readonly sendsPartitions: boolean;
  /** With a row filter or a list of columns. */
  readonly narrowed: readonly TableName[];
}

/** Row filters and lists of columns are known from 15 on. */
export async function publicationAlterations(
  publisher: Connection,
  { publication }: LaneNames,
): Promise<Alteration[]> {
  const [row] = await publisher.query<PublicationRow>(sql`
    SELECT array_remove(ARRAY[
        CASE WHEN NOT pubinsert THEN 'INSERT' END, CASE WHEN NOT pubupdate THEN 'UPDATE' END,
        CASE WHEN NOT pubdelete THEN 'DELETE' END, CASE WHEN NOT pubtruncate THEN 'TRUNCATE' END], NULL) AS "leavesOut",
      NOT pubviaroot AS "sendsPartitions",
      (SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname) ORDER BY n.nspname, c.relname), '[]')
        FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.prpubid = p.oid
          AND num_nonnulls(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') > 0) AS narrowed
    FROM pg_publication p WHERE pubname = ${publication}`);
  if (row === undefined) return [];
  const name = ident(publication);
  const { leavesOut, sendsPartitions, narrowed } = row;
  const options = sql`ALTER PUBLICATION ${name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`;
  const found: Alteration[] = [];
  const add = (what: string, mend: Sql) =>
    found.push({ text: `publication ${publication} ${what}`, on: 'publisher', mend });
  if (leavesOut.length > 0) add(`leaves out ${leavesOut.join(', ')}`, options);
  if (sendsPartitions) add('sends partitions under their own names', options);
  if (narrowed.length > 0) {
    const tables = list(narrowed.map((table) => sql`ONLY ${ident(table.schema, table.name)}`));
    const mend = sql`ALTER PUBLICATION ${name} DROP TABLE ${tables}; ALTER PUBLICATION ${name} ADD TABLE ${tables}`;
    add(`leaves out rows or columns of ${narrowed.map(qualified).join(', ')}`, mend);
  }
  return found;
}

export async function subscriptionAlterations(
  subscriber: Connection,
  { subscription, publication, slot }: LaneNames,
): Promise<Alteration[]> {
  const state = await subscriptionState(subscriber, subscription);
  if (state === undefined) return [];
  const name = ident(subscription);
  const { publications, leavesOutReplicated } = state;
  const found: Alteration[] = [];
  const add = (what: string, mend: Sql) =>
    found.push({ text: `subscription ${subscription} ${what}`, on: 'subscriber', mend });
  if (publications.join() !== publication)
    add(
      `follows ${publications.join(', ')}`,
      sql`ALTER SUBSCRIPTION ${name} SET PUBLICATION ${ident(publication)} WITH (refresh = false)`,
    );
  // Without any it stands still, and goes on from there.
  if (state.slot !== undefined && state.slot !== slot)
    add(`takes changes from slot ${state.slot}`, setSlotSql(subscription, slot));
  if (leavesOutReplicated)
    add(
      'leaves out what its publisher has by replication',
      sql`ALTER SUBSCRIPTION ${name} SET (origin = any)`,
    );
  return found;
}
