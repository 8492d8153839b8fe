/** Ends a transaction of ours that others wait for, also where its session says nothing any more. */

import { withDeadline } from '../base/async.ts';
import { endBackend } from './activity.ts';
import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** Many times what it takes: others wait for it. */
const ANSWER_MS = 1_000;

/**
 * `openAnother`: on the same server. It ends the session that does not answer: the server may not know that it is lost, and its
 * locks would stand. A COMMIT that it was sent before is not under way any more after this.
 */
export async function rollBack(session: Connection, openAnother: () => Promise<Connection>): Promise<void> {
  try {
    await withDeadline('ROLLBACK', ANSWER_MS, session.script(sql`ROLLBACK`));
  } catch {
    session.destroy();
    await using another = await openAnother();
    await endBackend(another, session.backendPid);
  }
}
