/** The databases of a cluster. https://www.postgresql.org/docs/current/catalog-pg-database.html */

import type { Connection } from './connection.ts';
import { ident, literal, type Sql, sql } from './sql.ts';

/** All that let sessions in, by name; neither the templates nor `postgres`, which is everybody's to log in to. */
export async function allDatabases(connection: Connection): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(sql`
    SELECT datname AS name FROM pg_database
    WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1`);
  return rows.map(({ name }) => name);
}

/** For people to run on the other server: the same name, encoding and locale; sync sees to owner and settings. */
export async function createLikeThisText(connection: Connection, name: string): Promise<string> {
  const { options } = await ownDatabaseOptions(connection);
  return `${sql`CREATE DATABASE ${ident(name)} TEMPLATE template0 ${options}`.text};`;
}

interface DatabaseRow {
  readonly user: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: 'c' | 'i' | 'b';
  readonly locale: string | null;
  readonly rules: string | null;
  readonly version: number;
}

/** Our role, and what CREATE DATABASE must say for one of the same encoding and locale. */
export async function ownDatabaseOptions(home: Connection): Promise<{ user: string; options: Sql }> {
  const row = await home.one<DatabaseRow>(sql`
    SELECT current_user AS user, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
      d.datctype AS ctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
      coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
      to_jsonb(d) ->> 'daticurules' AS rules,
      current_setting('server_version_num')::int AS version
    FROM pg_database d WHERE d.datname = current_database()`);
  const base = sql`ENCODING ${literal(row.encoding)} LC_COLLATE ${literal(row.collate)} LC_CTYPE ${literal(row.ctype)}`;
  return { user: row.user, options: sql`${base}${providerOptions(row)}` };
}

/** The provider can be named since 15, rules of its own since 16, the builtin one since 17. */
function providerOptions({ provider, locale, rules, version }: DatabaseRow): Sql {
  if (version < 150000) return sql``;
  const withRules = rules === null ? sql`` : sql` ICU_RULES ${literal(rules)}`;
  if (provider === 'i') return sql` LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale ?? 'und')}${withRules}`;
  if (provider === 'b') return sql` LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale ?? 'C')}`;
  return sql` LOCALE_PROVIDER libc`;
}

/** Also one that lets nobody in. */
export async function hasDatabaseOid(connection: Connection, oid: string): Promise<boolean> {
  const found = await connection.query(sql`SELECT FROM pg_database WHERE oid::text = ${oid}`);
  return found.length > 0;
}
