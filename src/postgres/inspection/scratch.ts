/** Tries a schema out where nobody sees it: in a database of the target that is made for it and dropped again. */

import { randomBytes } from 'node:crypto';
import { grouped } from '../../base/grouped.ts';
import { describeAddress, type ServerAddress } from '../../config/server-address.ts';
import type { Finding } from '../../domain/finding.ts';
import { OF_ONE_DATABASE } from '../../domain/preflight/extensions.ts';
import { doesNotLoad, noScratchDatabase, partlyTried } from '../../domain/preflight/scratch.ts';
import { some } from '../../domain/preflight/words.ts';
import { Connection, sqlState } from '../connection.ts';
import { ownDatabaseOptions } from '../databases.ts';
import { ident, sql, trusted } from '../sql.ts';
import { INSUFFICIENT_PRIVILEGE } from '../sqlstate.ts';

/** An entry of a schema dump. */
export interface NamedStatement {
  /** "TABLE" */
  readonly kind: string;
  /** "orders" */
  readonly name: string;
  /** One or more statements that belong together. */
  readonly sql: string;
}

export interface ScratchOptions {
  /** The load ends here, said as a note; undefined: no limit. A check shall not take minutes for 10,000 tables. */
  readonly budgetMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the statements in the given order in a fresh database `pgglide_scratch_<random>` with the encoding and
 * locale of the target's own database, and reports those that fail, also those that fail because an earlier one did.
 * Everything belongs to our own role there, and what names a role that the target does not have yet is left out:
 * sync creates it; grants and comments are not tried. The database is dropped whatever happens.
 *
 * @throws {UnreachableError} when the target cannot be reached at all, or is lost
 * @see https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
 */
export async function tryInScratchDatabase(
  target: ServerAddress,
  statements: readonly NamedStatement[],
  options: ScratchOptions = {},
): Promise<Finding[]> {
  const database = `pgglide_scratch_${randomBytes(6).toString('hex')}`;
  await using home = await Connection.open(target, { purpose: 'scratch load' });
  const refused = await createLike(home, database);
  if (refused !== undefined) return [refused];
  try {
    await using inside = await Connection.open({ ...target, database }, { purpose: 'scratch load' });
    await inside.script(SESSION_OF_A_DUMP);
    return await load(inside, statements, options);
  } finally {
    await home.script(sql`DROP DATABASE IF EXISTS ${ident(database)} WITH (FORCE)`);
  }
}

/** What pg_dump's text expects of its session. Nothing here has to survive a crash. */
const SESSION_OF_A_DUMP = sql`SET check_function_bodies = off; SET xmloption = content;
  SET default_tablespace = ''; SET synchronous_commit = off; SET lock_timeout = '10s'`;

async function createLike(home: Connection, database: string): Promise<Finding | undefined> {
  const { user, options } = await ownDatabaseOptions(home);
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

/** So many travel together; when one of them fails they are run again one by one, to know which. */
const BATCH = 100;
/** A newer version refuses none of these for being newer. */
const HARMLESS = new Set(['ACL', 'DEFAULT ACL', 'COMMENT']);

async function load(
  inside: Connection,
  all: readonly NamedStatement[],
  { budgetMs = Number.POSITIVE_INFINITY, signal }: ScratchOptions,
): Promise<Finding[]> {
  const statements = all.filter((statement) => !HARMLESS.has(statement.kind) && !isOfOneDatabase(statement));
  const missing = all.flatMap((one) => (isOfOneDatabase(one) ? (OF_ONE_DATABASE.get(one.name) ?? []) : []));
  const started = performance.now();
  const failures: Failure[] = [];
  for (let first = 0; first < statements.length; first += BATCH) {
    signal?.throwIfAborted();
    if (performance.now() - started > budgetMs)
      return [...byCause(failures), unfinished(first, statements.length)];
    const batch = statements.slice(first, first + BATCH);
    if ((await attempt(inside, batch)) !== undefined)
      failures.push(...(await oneByOne(inside, batch, missing)));
  }
  return byCause(failures);
}

interface Failure {
  /** "TABLE orders" */
  readonly what: string;
  readonly error: ServerError;
}

/** PGG147 says whether the target's own database may have it. */
const isOfOneDatabase = ({ kind, name }: NamedStatement): boolean =>
  kind === 'EXTENSION' && OF_ONE_DATABASE.has(name);

/** `missing`: schemas of extensions that were left out. */
async function oneByOne(
  inside: Connection,
  batch: readonly NamedStatement[],
  missing: readonly string[],
): Promise<Failure[]> {
  const found: Failure[] = [];
  for (const statement of batch) {
    const error = await attempt(inside, [statement]);
    if (error === undefined || NEEDS_A_ROLE.has(error.routine ?? '')) continue;
    if (missing.some((schema) => statement.sql.includes(`${schema}.`))) continue;
    found.push({ what: `${statement.kind} ${statement.name}`, error });
  }
  return found;
}

const unfinished = (tried: number, all: number): Finding => ({
  id: partlyTried.id,
  severity: partlyTried.severity,
  title: `the scratch load ran out of time: ${tried} of ${all} statements were tried`,
});

/** Server functions that look a role up: the error has the same SQLSTATE as a missing type or collation. */
const NEEDS_A_ROLE = new Set(['get_role_oid', 'get_rolespec_oid', 'get_rolespec_tuple']);

interface ServerError extends Error {
  readonly hint?: string | undefined;
  readonly detail?: string | undefined;
  readonly routine?: string | undefined;
}

/** The server's refusal; none of the statements has then left a trace. */
async function attempt(
  inside: Connection,
  statements: readonly NamedStatement[],
): Promise<ServerError | undefined> {
  try {
    await inside.script(trusted(statements.map((statement) => withoutOwners(statement.sql)).join('\n')));
    return undefined;
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    return error as ServerError;
  }
}

/** pg_dump writes each of them on a line of its own. */
const withoutOwners = (text: string): string =>
  text.replace(/^ALTER [^;\n]* OWNER TO (?:"(?:[^"]|"")*"|\w+);$/gm, '');

/** One finding for all that failed with the same error: a library that is missing is one thing to mend. */
const byCause = (failures: readonly Failure[]): Finding[] =>
  [...grouped(failures, ({ error }) => error.message).values()].map(finding);

function finding(alike: readonly [Failure, ...Failure[]]): Finding {
  const [first] = alike;
  const names = alike.map(({ what }) => what);
  const all = some(names) === names.join(', ') ? undefined : `All of them: ${names.join(', ')}.`;
  const { message, detail, hint } = first.error;
  const more = [detail, hint, all].filter((text) => text !== undefined).join(' ');
  return {
    id: doesNotLoad.id,
    severity: doesNotLoad.severity,
    title: `${some(names)} ${names.length === 1 ? 'does' : 'do'} not load on the target: ${message}`,
    object: first.what,
    ...(more === '' ? {} : { detail: more }),
    blocks: 'loading the schema',
  };
}
