/** The databases of a cluster. https://www.postgresql.org/docs/current/catalog-pg-database.html */

import type { Connection } from './connection.ts';
import { sql } from './sql.ts';

/** All that let sessions in, by name; neither the templates nor `postgres`, which is everybody's to log in to. */
export async function allDatabases(connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(sql`
    SELECT datname AS name FROM pg_database
    WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1`);
  return rows.map(({ name }) => name);
}
