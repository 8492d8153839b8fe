/**
 * Names of the settings with a dot that functions and policies of a database set or ask for. A client sets them by calling
 * a function, where nothing in its own words tells (a tenant for row-level security, say).
 */

import { patientQuery } from './patient-query.ts';
import type { ServerConnection } from './server-connection.ts';

const PLAIN_NAME = '[a-z_][a-z0-9_$]*(?:\\.[a-z_][a-z0-9_$]*)+';
const CALL = `(?:set_config|current_setting)\\s*\\(\\s*''(${PLAIN_NAME})''`;
const STATEMENT = `\\mset\\s+(?:(?:session|local)\\s+)?(${PLAIN_NAME})\\s*(?:=|to\\M)`;

/** As an escape string, which means the same whatever the session has set standard_conforming_strings to. */
const ANY = `E'${`${CALL}|${STATEMENT}`.replaceAll('\\', '\\\\')}'`;

const NAMES = patientQuery(`SELECT DISTINCT pg_catalog.lower(COALESCE(m[1], m[2]))
FROM (SELECT prosrc FROM pg_catalog.pg_proc
  UNION ALL SELECT pg_catalog.pg_get_expr(polqual, polrelid) FROM pg_catalog.pg_policy
  UNION ALL SELECT pg_catalog.pg_get_expr(polwithcheck, polrelid) FROM pg_catalog.pg_policy) AS texts(words)
CROSS JOIN LATERAL pg_catalog.regexp_matches(words, ${ANY}, 'gi') AS m`);
const TIMEOUT_MS = 10_000;

export async function readSettingNames(connection: ServerConnection): Promise<readonly string[]> {
  const rows = await connection.rowsOf(NAMES, TIMEOUT_MS);
  return rows.flatMap(([name]) => name ?? []);
}
