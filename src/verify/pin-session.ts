/** Sessions whose texts, bytes and plans do not depend on who opened them. */

import type { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';

/**
 * What a value looks like as text depends on these, and roles and databases may set them: a hash of texts needs the
 * same on both sides. The rest keeps our load on a server to one core a session.
 */
const PINNED: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  xmloption: 'content',
  lc_monetary: 'C',
  lc_numeric: 'C',
  quote_all_identifiers: 'off',
  client_encoding: 'UTF8',
  // regclass and its like print a name with its schema unless the path finds it.
  search_path: 'pg_catalog',
  // Row security would hide rows without a word.
  row_security: 'off',
  max_parallel_workers_per_gather: '0',
  // Compiling costs more than it saves on parts of this size.
  jit: 'off',
};

/**
 * Pins every setting that decides how values print, for the life of the session.
 *
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html#RUNTIME-CONFIG-CLIENT-FORMAT
 */
export async function pinSession(connection: Connection): Promise<void> {
  await connection.query(sql`
    SELECT set_config(s.name, p.value, false)
    FROM pg_catalog.json_each_text(${JSON.stringify(PINNED)}::json) AS p(name, value)
    JOIN pg_catalog.pg_settings s ON s.name = p.name`);
}
