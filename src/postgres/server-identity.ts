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
  /** The cluster's identifier alone. */
  readonly cluster: string;
  /** In recovery: it takes no writes. */
  readonly isStandby: boolean;
}

/** The same on every host of a cluster, and another than that of any other cluster. */
export async function clusterIdentifier(connection: Connection): Promise<string> {
  const { id } = await connection.one<{ id: string }>(
    sql`SELECT system_identifier::text AS id FROM pg_control_system()`,
  );
  return id;
}

/** @see https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-CONTROL-SYSTEM */
export async function serverIdentity(connection: Connection): Promise<ServerIdentity> {
  return connection.one<ServerIdentity>(sql`
    SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
      current_setting('server_version_num')::int AS "versionNumber",
      c.system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS "systemIdentifier",
      current_database() AS database, c.system_identifier::text AS cluster,
      pg_is_in_recovery() AS "isStandby"
    FROM pg_control_system() AS c`);
}
