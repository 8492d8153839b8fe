/** What of ours is in a database, whichever migration made it. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';
import { OF_THIS_DATABASE } from './subscription.ts';

export async function hasLinkOrFence(connection: Connection): Promise<boolean> {
  const found = await connection.query(sql`
    SELECT FROM pg_publication WHERE starts_with(pubname, 'pgglide_')
    UNION ALL SELECT FROM pg_subscription WHERE starts_with(subname, 'pgglide_') AND ${OF_THIS_DATABASE}
    UNION ALL SELECT FROM pg_trigger WHERE tgname = 'pgglide_fence'`);
  return found.length > 0;
}

/** Each named with its kind. */
export async function leftoversOn(connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ what: string }>(sql`
    SELECT 'publication ' || pubname AS what FROM pg_publication WHERE starts_with(pubname, 'pgglide_')
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
      WHERE starts_with(subname, 'pgglide_') AND ${OF_THIS_DATABASE}
    UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
      WHERE starts_with(slot_name, 'pgglide_') AND database = current_database()
    UNION ALL SELECT 'trigger pgglide_fence on ' || tgrelid::regclass FROM pg_trigger WHERE tgname = 'pgglide_fence'
    UNION ALL SELECT 'index ' || oid::regclass FROM pg_class WHERE relkind = 'i' AND starts_with(relname, 'pgglide_helper_')
    UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger WHERE starts_with(evtname, 'pgglide_')
    UNION ALL SELECT 'schema pgglide' FROM pg_namespace WHERE nspname = 'pgglide'`);
  return rows.map(({ what }) => what);
}
