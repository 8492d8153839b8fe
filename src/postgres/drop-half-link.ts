/** One side's half of all links of a migration, where the other server is gone. */

import { linkPrefix, OWN_SCHEMA } from '../domain/names.ts';
import { withBriefLock } from './brief-lock.ts';
import type { Connection } from './connection.ts';
import { dropMarkerSql } from './marker.ts';
import { dropPublicationSql } from './publication.ts';
import { dropSlot } from './replication-slot.ts';
import { sql } from './sql.ts';
import { dropSubscription, OF_THIS_DATABASE } from './subscription.ts';

const DROP_TIMEOUT_MS = 30_000;

/** Subscriptions first, then the slots that keep WAL, publications and markers. */
export async function dropHalfLinks(connection: Connection, migration: string): Promise<void> {
  const prefix = linkPrefix(migration);
  const named = await connection.query<{ kind: string; name: string }>(sql`
    SELECT 'subscription' AS kind, subname AS name FROM pg_subscription
      WHERE starts_with(subname, ${prefix}) AND ${OF_THIS_DATABASE}
    UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
      WHERE starts_with(slot_name, ${prefix}) AND database = current_database()
    UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE starts_with(pubname, ${prefix})
    UNION ALL SELECT 'marker', c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${OWN_SCHEMA} AND c.relname ~ '^marker_(forward|reverse)_[0-9]+$' AND c.relkind = 'r'`);
  const of = (kind: string) => named.filter((each) => each.kind === kind).map(({ name }) => name);
  for (const name of of('subscription')) await dropSubscription(connection, name);
  for (const name of of('slot')) await dropSlot(connection, name, { timeoutMs: DROP_TIMEOUT_MS });
  for (const name of of('publication')) await withBriefLock(connection, dropPublicationSql(name));
  for (const name of of('marker'))
    await withBriefLock(connection, dropMarkerSql({ schema: OWN_SCHEMA, name }));
}
