/** The source's schema as named, ordered, restartable statements. */

import { messageOf } from '../base/message-of.ts';
import { type ServerAddress, SYSTEM_AUTHORITIES } from '../config/server-address.ts';
import { PrerequisiteError, UsageError } from '../domain/errors.ts';
import { OWN_SCHEMA } from '../domain/names.ts';
import type { Scope } from '../domain/scope.ts';
import { Connection, sqlState } from '../postgres/connection.ts';
import { FENCE_TRIGGER } from '../postgres/fence.ts';
import { isOwnEventTrigger } from '../postgres/noted-ddl.ts';
import { excludedRelations, schemaInScope } from '../postgres/scope.ts';
import { sql } from '../postgres/sql.ts';
import { cancelledOnAbort } from './cancel.ts';
import { commentOnAdded, ownName, referencedTable, tableOf } from './dump-names.ts';
import { nativePgDumpMajor, runNativePgDump } from './native-pg-dump.ts';
import { labelProvider } from './security-labels.ts';
import { type SplitOptions, sectionsOf, splitDump } from './split-dump.ts';
import { splitKeys } from './split-keys.ts';
import type { SchemaStatement } from './statement.ts';
import { runWasmPgDump } from './wasm-pg-dump.ts';

export interface DumpOptions extends Scope, SplitOptions {
  /** A snapshot exported by another session of the source. */
  readonly snapshot?: string | undefined;
  /** `wasm`, or the path of a pg_dump; undefined: PGGLIDE_PG_DUMP, else the installed one if it is new enough, else wasm. */
  readonly pgDump?: string | undefined;
  /** Providers whose security labels are left out. */
  readonly withoutLabelsOf?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Dumps definitions only, of the scope, without what is ours (schema pgglide, fences, publications). Waits at most
 * 30 s for ACCESS SHARE on each table. Materialized views that are populated on the source end with a REFRESH.
 *
 * @throws {PrerequisiteError} `schema_dump_failed`, with what pg_dump said.
 * @throws {UsageError} `pg_dump_unusable` when the pg_dump asked for cannot be run or is older than the source.
 */
export async function dumpSchema(
  source: ServerAddress,
  options: DumpOptions = {},
): Promise<SchemaStatement[]> {
  await using connection = await Connection.open(source, { purpose: 'schema dump' });
  const facts = await readFacts(connection, options);
  const args = pgDumpArguments(options, facts);
  const oldest = Math.max(facts.major, oldestNativeMajor(source));
  const pgDump = await choosePgDump(options.pgDump ?? process.env.PGGLIDE_PG_DUMP, oldest);
  const script = await run(pgDump, connection, args, options.signal);
  const entries = splitDump(script, options)
    .map((entry) => onExistingSchemas(entry, options.schemas))
    .flatMap((entry) => refreshed(entry, facts.populated));
  const { withoutLabelsOf } = options;
  const left = new Set(entries.filter((entry) => !isWanted(entry, facts.outside)));
  // On a foreign key that leads out of the scope: it would be refused behind the whole copy.
  const comments = [...left].map((entry) => commentOnAdded(entry.sql)).filter((start) => start !== undefined);
  const kept = inOrder(entries)
    .filter((entry) => !left.has(entry))
    .filter(({ sql: text }) => !comments.some((start) => text.startsWith(start)))
    .filter((entry) => !withoutLabelsOf?.has(labelProvider(entry.sql) ?? ''));
  const sections = sectionsOf(kept);
  return splitKeys(
    kept.map((entry, n) => {
      const table = tableOf(entry.kind, entry.sql);
      return { ...entry, n, section: sections[n] ?? 'pre-data', ...(table === undefined ? {} : { table }) };
    }),
  );
}

type Entry = ReturnType<typeof splitDump>[number];

interface Facts {
  readonly major: number;
  /** Quoted names of relations left out by name. */
  readonly excluded: readonly string[];
  /** Quoted names of all tables that the dump will not hold: a foreign key to them cannot be made. */
  readonly outside: ReadonlySet<string>;
  readonly populated: ReadonlySet<string>;
}

async function readFacts(connection: Connection, scope: Scope): Promise<Facts> {
  const row = await connection.one<{
    major: number;
    excluded: string[];
    outside: string[];
    populated: string[];
  }>(sql`
    WITH relation AS (
      SELECT '"' || replace(n.nspname, '"', '""') || '"."' || replace(c.relname, '"', '""') || '"' AS name,
        c.relkind AS kind, c.relispopulated AS populated,
        c.oid IN (${excludedRelations(scope)}) AS excluded, ${schemaInScope(scope)} AS in_scope
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_toast')
    SELECT current_setting('server_version_num')::int / 10000 AS major,
      ARRAY(SELECT name FROM relation WHERE excluded) AS excluded,
      ARRAY(SELECT name FROM relation WHERE kind IN ('r', 'p') AND (excluded OR NOT in_scope)) AS outside,
      ARRAY(SELECT name FROM relation WHERE kind = 'm' AND populated) AS populated`);
  return { ...row, outside: new Set(row.outside), populated: new Set(row.populated) };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function pgDumpArguments(options: DumpOptions, facts: Facts): string[] {
  const schemas = (options.schemas ?? []).map((schema) => `--schema=${quoted(schema)}`);
  return [
    '--schema-only',
    '--quote-all-identifiers',
    '--no-publications',
    '--no-subscriptions',
    '--encoding=UTF8',
    '--lock-wait-timeout=30s',
    `--exclude-schema=${quoted(OWN_SCHEMA)}`,
    // A schema may use types and operators of any extension.
    ...(schemas.length > 0 ? [...schemas, '--extension=*'] : []),
    ...facts.excluded.map((name) => `--exclude-table=${name}`),
    ...(options.snapshot === undefined ? [] : [`--snapshot=${options.snapshot}`]),
  ];
}

/** `--extension` came with 14, `sslrootcert=system` with 16. */
const oldestNativeMajor = ({ sslRootCert }: ServerAddress): number =>
  sslRootCert === SYSTEM_AUTHORITIES ? 16 : 14;

/** One of a version older than the source cannot read it. */
async function choosePgDump(asked: string | undefined, oldest: number): Promise<string> {
  if (asked === 'wasm') return asked;
  const major = await nativePgDumpMajor(asked ?? 'pg_dump');
  if (major !== undefined && major >= oldest) return asked ?? 'pg_dump';
  if (asked === undefined) return 'wasm';
  const found =
    major === undefined ? 'cannot be run' : `is of version ${major}, and version ${oldest} is needed`;
  throw new UsageError('pg_dump_unusable', `${asked} ${found}`, {
    hint: 'Unset PGGLIDE_PG_DUMP, or set it to "wasm" to use the built-in pg_dump.',
  });
}

async function run(
  pgDump: string,
  connection: Connection,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    if (pgDump !== 'wasm') return await runNativePgDump(pgDump, connection.address, args, signal);
    await connection.script(sql`SET TimeZone = 'UTC'; SET lc_monetary = 'C'`);
    return await cancelledOnAbort([connection], signal, () => runWasmPgDump(connection, args, signal));
  } catch (error) {
    signal?.throwIfAborted();
    if (sqlState(error) !== undefined) throw error;
    const message = messageOf(error);
    throw new PrerequisiteError('schema_dump_failed', `The source's schema cannot be dumped: ${message}`, {
      hint:
        connection.lost === undefined
          ? 'The source’s role must be able to read every table in scope (GRANT pg_read_all_data, or ownership).'
          : 'The source ended our session: see its log, then run the same command again.',
      cause: error,
    });
  }
}

/** A dump of named schemas creates public, which every database has, but not the schema that an extension lives in. */
function onExistingSchemas(entry: Entry, schemas: readonly string[] | undefined): Entry {
  if (schemas === undefined) return entry;
  if (entry.kind === 'SCHEMA' && entry.name === 'public')
    return { ...entry, sql: entry.sql.replace(/^CREATE SCHEMA /, 'CREATE SCHEMA IF NOT EXISTS ') };
  const home =
    entry.kind === 'EXTENSION' ? / WITH SCHEMA ("(?:[^"]|"")*");$/.exec(entry.sql)?.[1] : undefined;
  if (home === undefined || schemas.map(quoted).includes(home) || home === '"pg_catalog"') return entry;
  return { ...entry, sql: `CREATE SCHEMA IF NOT EXISTS ${home};\n${entry.sql}` };
}

const MATERIALIZED_VIEW = /^CREATE MATERIALIZED VIEW ("(?:[^"]|"")*"\."(?:[^"]|"")*")/m;

/** A materialized view, followed by the REFRESH that a dump with data would hold. */
function refreshed(entry: Entry, populated: ReadonlySet<string>): Entry[] {
  const name = MATERIALIZED_VIEW.exec(entry.sql)?.[1];
  if (entry.kind !== 'MATERIALIZED VIEW' || name === undefined || !populated.has(name)) return [entry];
  const refresh = `REFRESH MATERIALIZED VIEW ${name};`;
  return [entry, { ...entry, kind: 'MATERIALIZED VIEW DATA', sql: refresh }];
}

/**
 * Refreshes come after the grants, which a view may need, and event triggers last, as pg_dump has it. What it has not: a leaf's
 * trigger that is only enabled or disabled after the root's that it comes from, whatever their tables' names, with partitions between.
 */
function inOrder(entries: readonly Entry[]): Entry[] {
  const places = [isStateOfTrigger, isRefresh, isOfEventTrigger];
  const placeOf = (entry: Entry) => places.findIndex((isHere) => isHere(entry));
  return entries.toSorted((a, b) => placeOf(a) - placeOf(b));
}

const isStateOfTrigger = ({ kind, sql: text }: Entry): boolean =>
  kind === 'TRIGGER' && !/^CREATE (?:CONSTRAINT )?TRIGGER /m.test(text);
const isRefresh = ({ kind }: Entry): boolean => kind === 'MATERIALIZED VIEW DATA';
const isOfEventTrigger = ({ kind, name }: Entry): boolean =>
  kind === 'EVENT TRIGGER' || name.startsWith('EVENT TRIGGER ');

function isWanted(entry: Entry, outside: ReadonlySet<string>): boolean {
  switch (entry.kind) {
    case 'TRIGGER':
      return ownName('TRIGGER', entry.sql) !== FENCE_TRIGGER;
    case 'INDEX':
      return !ownName('INDEX', entry.sql)?.startsWith(`${OWN_SCHEMA}_`);
    case 'EVENT TRIGGER':
      return !isOwnEventTrigger(entry.name);
    case 'FK CONSTRAINT':
      return !outside.has(referencedTable(entry.sql) ?? '');
    // Come with CREATE EXTENSION and CREATE DATABASE; to say them again would need the ownership.
    case 'COMMENT':
      return !entry.name.startsWith('EXTENSION ') && !entry.sql.endsWith("IS 'standard public schema';");
    default:
      return true;
  }
}
