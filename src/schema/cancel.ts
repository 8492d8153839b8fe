/** Ends what our sessions are executing when the user gives up. */

import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/**
 * Runs `work`; an abort meanwhile cancels the statements of `sessions` on the server, which would not notice by itself
 * that its client is gone (an index build, a wait for a lock). The work then fails with 57014.
 */
export async function cancelledOnAbort<T>(
  sessions: readonly Connection[],
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let cancelling: Promise<void> | undefined;
  const onAbort = () => {
    cancelling = cancelStatements(sessions);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await work();
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await cancelling;
  }
}

/** Over a session of its own; without one the sockets are cut, which is all that is left to do. */
async function cancelStatements(sessions: readonly Connection[]): Promise<void> {
  const [first] = sessions;
  if (first === undefined) return;
  try {
    await using control = await Connection.open(first.address, { purpose: 'cancel' });
    const pids = sessions.map((session) => session.backendPid);
    await control.query(sql`SELECT pg_cancel_backend(pid) FROM unnest(${pids}::int[]) AS b(pid)`);
  } catch {
    for (const session of sessions) session.destroy();
  }
}
