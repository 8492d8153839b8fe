/** What every new session of a database begins with, where that would keep the application from working. Ours set it aside. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** "default_transaction_read_only = on": it may not write; or no trigger and no foreign key fires for it. */
export async function hinderingDefaults(connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ setting: string }>(sql`
    SELECT name || ' = ' || reset_val AS setting FROM pg_settings
    WHERE (name, reset_val) = ('default_transaction_read_only', 'on')
      OR name = 'session_replication_role' AND reset_val <> 'origin'
    ORDER BY 1`);
  return rows.map(({ setting }) => setting);
}
