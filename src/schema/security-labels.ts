/** Security labels: pg_dump writes them down, and only a server that has their provider loaded takes them. */

import type { Connection } from '../postgres/connection.ts';
import { sqlState } from '../postgres/connection.ts';
import { ident, sql } from '../postgres/sql.ts';
import { INVALID_PARAMETER_VALUE, UNDEFINED_TABLE } from '../postgres/sqlstate.ts';

export interface LabelCount {
  readonly provider: string;
  /** On objects of this database. */
  readonly inDatabase: number;
  /** On roles, tablespaces and this database itself: in no dump of a database's schema. */
  readonly shared: number;
}

/** @see https://www.postgresql.org/docs/current/catalog-pg-seclabel.html */
export const countLabels = (connection: Connection): Promise<LabelCount[]> =>
  connection.query(sql`
    SELECT provider, sum(own) AS "inDatabase", sum(1 - own) AS shared FROM (
      SELECT provider, 1 AS own FROM pg_seclabel
      UNION ALL
      SELECT provider, 0 FROM pg_shseclabel
      WHERE classoid <> 'pg_database'::regclass
        OR objoid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS labels
    GROUP BY provider ORDER BY provider COLLATE "C"`);

/** Of those providers, the ones that a new session of the other server does not have. */
export async function missingProviders(
  target: Connection,
  labels: readonly LabelCount[],
): Promise<Set<string>> {
  const missing = new Set<string>();
  for (const { provider } of labels) if (!(await isLoaded(target, provider))) missing.add(provider);
  return missing;
}

/** No catalog tells. The server looks for the provider first and then for the table, which there is not. */
async function isLoaded(connection: Connection, provider: string): Promise<boolean> {
  try {
    await connection.script(
      sql`SECURITY LABEL FOR ${ident(provider)} ON TABLE ${ident('pg_catalog', 'pgglide: no such table')} IS NULL`,
    );
    return true;
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return true;
    if (sqlState(error) === INVALID_PARAMETER_VALUE) return false;
    throw error;
  }
}

const PROVIDER = /^SECURITY LABEL FOR ("(?:[^"]|"")*"|[^\s"]+) ON /;

/** The provider that a dumped statement names; undefined when it is none of SECURITY LABEL. */
export function labelProvider(text: string): string | undefined {
  const name = PROVIDER.exec(text)?.[1];
  return name?.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
