/** A session of the lab's own programs on a server; the caller ends it. */

import pg from 'pg';
import type { ServerAddress } from '../../src/index.ts';

/** @throws node-postgres's error when the server cannot be reached */
export async function connect(
  { host, port, user, password, database }: ServerAddress,
  applicationName: string,
  options: Pick<pg.ClientConfig, 'connectionTimeoutMillis'> = {},
): Promise<pg.Client> {
  const session = new pg.Client({
    host,
    port,
    user,
    database,
    password: password ?? '',
    application_name: applicationName,
    ...options,
  });
  // A server that goes away fails the query under way; that is where it is told.
  session.on('error', () => undefined);
  await session.connect();
  return session;
}
