/** Tries a schema out where nobody sees it: in a database of the target that is made for it and dropped again. */

import { randomBytes } from 'node:crypto';
import { describeAddress, type ServerAddress } from '../../config/server-address.ts';
import type { Finding } from '../../domain/finding.ts';
import { doesNotLoad, noScratchDatabase } from '../../domain/preflight/scratch.ts';
import { Connection, sqlState } from '../connection.ts';
import { ident, literal, type Sql, sql } from '../sql.ts';

export interface NamedStatement {
  /** For people: "TABLE public.orders". */
  readonly name: string;
  readonly sql: Sql;
}

/**
 * Runs every statement in a fresh database `pgglide_scratch_<random>` with the encoding and locale of the
 * target's own database, each by itself and in the given order, and reports those that fail.
 * The database is dropped whatever happens. Failures that follow from an earlier one are reported too.
 *
 * @throws {UnreachableError} when the target cannot be reached at all
 * @see https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
 */
export async function tryInScratchDatabase(
  target: ServerAddress,
  statements: readonly NamedStatement[],
): Promise<Finding[]> {
  const database = `pgglide_scratch_${randomBytes(6).toString('hex')}`;
  await using home = await Connection.open(target, { purpose: 'scratch load' });
  const refused = await createLike(home, database);
  if (refused !== undefined) return [refused];
  try {
    await using inside = await Connection.open({ ...target, database }, { purpose: 'scratch load' });
    return await failures(inside, statements);
  } finally {
    await home.script(sql`DROP DATABASE IF EXISTS ${ident(database)} WITH (FORCE)`);
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

async function createLike(home: Connection, database: string): Promise<Finding | undefined> {
  const { user, options } = await likeOwnDatabase(home);
  try {
    await home.script(sql`CREATE DATABASE ${ident(database)} TEMPLATE template0 ${options}`);
    return undefined;
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    return {
      id: noScratchDatabase.id,
      severity: noScratchDatabase.severity,
      title: `role ${user} may not make a scratch database at ${describeAddress(home.address)}: the schema was not tried`,
      object: `role ${user}`,
      fix: `ALTER ROLE ${ident(user).text} CREATEDB;`,
      fixOn: 'target',
    };
  }
}

interface DatabaseRow {
  readonly user: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: 'c' | 'i' | 'b';
  readonly locale: string | null;
  readonly version: number;
}

async function likeOwnDatabase(home: Connection): Promise<{ user: string; options: Sql }> {
  const row = await home.one<DatabaseRow>(sql`
    SELECT current_user AS user, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
      d.datctype AS ctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
      coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
      current_setting('server_version_num')::int AS version
    FROM pg_database d WHERE d.datname = current_database()`);
  const base = sql`ENCODING ${literal(row.encoding)} LC_COLLATE ${literal(row.collate)} LC_CTYPE ${literal(row.ctype)}`;
  return { user: row.user, options: sql`${base}${providerOptions(row)}` };
}

/** The provider can be named since 15, the builtin one since 17. */
function providerOptions({ provider, locale, version }: DatabaseRow): Sql {
  if (version < 150000) return sql``;
  if (provider === 'i') return sql` LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale ?? 'und')}`;
  if (provider === 'b') return sql` LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale ?? 'C')}`;
  return sql` LOCALE_PROVIDER libc`;
}

async function failures(inside: Connection, statements: readonly NamedStatement[]): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const statement of statements) {
    try {
      await inside.script(statement.sql);
    } catch (error) {
      if (sqlState(error) === undefined) throw error;
      found.push(failed(statement, error as Error & { hint?: string; detail?: string }));
    }
  }
  return found;
}

function failed(statement: NamedStatement, error: Error & { hint?: string; detail?: string }): Finding {
  const more = [error.detail, error.hint].filter((text) => text !== undefined).join(' ');
  return {
    id: doesNotLoad.id,
    severity: doesNotLoad.severity,
    title: `${statement.name} does not load on the target: ${error.message}`,
    object: statement.name,
    ...(more === '' ? {} : { detail: more }),
    blocks: 'loading the schema',
  };
}
