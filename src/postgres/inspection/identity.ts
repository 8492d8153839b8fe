/** Which server and database this is. */

import type { ServerIdentity, Setting, Settings } from '../../domain/preflight/facts.ts';
import type { Connection } from '../connection.ts';
import { sql } from '../sql.ts';
import { ifAllowed } from './attempt.ts';

interface IdentityRow {
  readonly versionNumber: number;
  readonly version: string;
  readonly startedAt: string;
  readonly isStandby: boolean;
  readonly platform: ServerIdentity['platform'];
  readonly database: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: string | null;
  readonly icuLocale: string | null;
  readonly collationVersion: string | null;
  readonly now: number;
}

/** Columns that came with 15, 16 and 17 are read through jsonb, so that one statement serves every version. */
const identitySql = sql`
  SELECT current_setting('server_version_num')::int AS "versionNumber",
    split_part(current_setting('server_version'), ' ', 1) AS version,
    extract(epoch FROM pg_postmaster_start_time())::text AS "startedAt",
    pg_is_in_recovery() AS "isStandby",
    coalesce((
      SELECT CASE rolname WHEN 'rds_superuser' THEN 'rds' WHEN 'cloudsqlsuperuser' THEN 'cloudsql' ELSE 'azure' END
      FROM pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin') LIMIT 1),
      'plain') AS platform,
    d.datname AS database, pg_encoding_to_char(d.encoding) AS encoding,
    d.datcollate AS collate, d.datctype AS ctype,
    to_jsonb(d) ->> 'datlocprovider' AS provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
      || coalesce(' with rules ' || (to_jsonb(d) ->> 'daticurules'), '') AS "icuLocale",
    to_jsonb(d) ->> 'datcollversion' AS "collationVersion",
    extract(epoch FROM clock_timestamp())::float8 * 1000 AS now
  FROM pg_database d WHERE d.datname = current_database()`;

const PROVIDERS: Readonly<Record<string, ServerIdentity['localeProvider']>> = {
  c: 'libc',
  i: 'icu',
  b: 'builtin',
};

export async function readIdentity(connection: Connection): Promise<ServerIdentity> {
  const asked = Date.now();
  const row = await connection.one<IdentityRow>(identitySql);
  const midpoint = (asked + Date.now()) / 2;
  const { provider, now, icuLocale, collationVersion, ...rest } = row;
  return {
    ...rest,
    localeProvider: PROVIDERS[provider ?? 'c'] ?? 'libc',
    icuLocale: icuLocale ?? undefined,
    collationVersion: collationVersion ?? undefined,
    actualCollationVersion: await actualCollationVersion(connection, row.versionNumber),
    systemIdentifier: await systemIdentifier(connection),
    databaseBytes: await databaseBytes(connection),
    isLoopback: isLoopback(connection.address.host),
    clockOffsetMs: now - midpoint,
  };
}

const isLoopback = (host: string): boolean => /^(\/|localhost$|127\.|::1$)/.test(host);

async function actualCollationVersion(connection: Connection, version: number): Promise<string | undefined> {
  if (version < 150000) return undefined;
  const { actual } = await connection.one<{ actual: string | null }>(sql`
    SELECT pg_database_collation_actual_version(oid) AS actual
    FROM pg_database WHERE datname = current_database()`);
  return actual ?? undefined;
}

const systemIdentifier = (connection: Connection): Promise<string | undefined> =>
  ifAllowed(async () => {
    const { id } = await connection.one<{ id: string }>(
      sql`SELECT system_identifier::text AS id FROM pg_control_system()`,
    );
    return id;
  });

const databaseBytes = (connection: Connection): Promise<number | undefined> =>
  ifAllowed(async () => {
    const { bytes } = await connection.one<{ bytes: number }>(
      sql`SELECT pg_database_size(current_database()) AS bytes`,
    );
    return bytes;
  });

/** What a session of ours starts with (reset_val), not what we pinned for this one. */
export async function readSettings(connection: Connection): Promise<Settings> {
  const rows = await connection.query<Setting & { name: string }>(
    sql`SELECT name, coalesce(reset_val, setting, '') AS value, context,
          source = 'configuration file' AS "isInFile" FROM pg_settings`,
  );
  return new Map(rows.map(({ name, ...setting }) => [name, setting]));
}
