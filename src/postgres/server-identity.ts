/** Which server this is. */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

export interface ServerIdentity {
  /** As "15.18". */
  readonly version: string;
  /** As 150018. */
  readonly versionNumber: number;
  /** The cluster's identifier and the database's OID: a restored or renamed database is another one. */
  readonly systemIdentifier: string;
  readonly database: string;
}

/** @see https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-CONTROL-SYSTEM */
export async function serverIdentity(connection: Connection): Promise<ServerIdentity> {
  return connection.one<ServerIdentity>(sql`
    SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
      current_setting('server_version_num')::int AS "versionNumber",
      (SELECT system_identifier FROM pg_control_system())
        || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS "systemIdentifier",
      current_database() AS database`);
}
