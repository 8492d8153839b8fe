/**
 * What a session holds on its server beyond the current transaction, asked of the server itself,
 * and the statements that rebuild it elsewhere.
 */

import { readDataRow } from '../wire/backend.ts';
import { bind, closeStatement, execute, parse, query, sync } from '../wire/frontend.ts';
import { type Exchange, readIn, UTF8 } from './client-encoding.ts';
import type { Answer } from './server-connection.ts';
import { prepareStatementsIn } from './split-statements.ts';

export interface Holdings {
  /** Settings with source = 'session', and those of custom names, which pg_settings does not list. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** Of the names with a dot those that its server knows, whatever they come from. */
  readonly customNames: readonly string[];
  readonly sessionUser: string;
  /** `none` when SET ROLE is not in force. */
  readonly role: string;
  readonly channels: readonly string[];
  /** Statements of SQL's PREPARE, as their text; '' where that is not found among others. */
  readonly sqlPrepared: readonly (readonly [name: string, statement: string])[];
  /** Names of statements prepared by Parse. */
  readonly parsed: readonly string[];
  /** Those of them that were too large to be kept. */
  readonly unknownStatements: readonly string[];
  readonly advisoryLocks: readonly AdvisoryLock[];
  readonly temporaryTables: readonly string[];
  /** Functions and types in pg_temp. */
  readonly temporaryOthers: readonly string[];
  readonly holdCursors: readonly string[];
}

export interface AdvisoryLock {
  readonly classId: number;
  readonly objectId: number;
  /** 1: one bigint key; 2: two integer keys. */
  readonly keys: number;
  readonly shared: boolean;
}

/** In hexadecimal, so that neither client_encoding nor bytea_output matter. */
const utf8Hex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

/** One row, one column. Everything is qualified: the session's search_path is the client's business. pg_settings, the dearest, is read once. */
const STATE_QUERY = `SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_object(
'settings', s.settings,
'custom', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(n, pg_catalog.current_setting(n, true), n = ANY (s.dotted)))
FROM pg_catalog.unnest($1::pg_catalog.text[]) n),
'sessionUser', session_user,
'role', pg_catalog.current_setting('role'),
'channels', (SELECT pg_catalog.json_agg(c) FROM pg_catalog.pg_listening_channels() c),
'prepared', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(text, names)) FROM
(SELECT CASE WHEN from_sql THEN statement END, pg_catalog.json_agg(name) FROM pg_catalog.pg_prepared_statements GROUP BY 1) p(text, names)),
'locks', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(classid::pg_catalog.int8, objid::pg_catalog.int8, objsubid, mode)) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()),
'temporary', CASE WHEN pg_catalog.pg_my_temp_schema() = 0 THEN NULL ELSE (SELECT pg_catalog.json_agg(relname) FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'p', 'v', 'S')) END,
'temporaryOthers', CASE WHEN pg_catalog.pg_my_temp_schema() = 0 THEN NULL ELSE (SELECT pg_catalog.json_agg(n) FROM
(SELECT proname FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema()
UNION ALL SELECT typname FROM pg_catalog.pg_type t WHERE typnamespace = pg_catalog.pg_my_temp_schema() AND (typtype IN ('d', 'e', 'r')
OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))) o(n)) END,
'cursors', (SELECT pg_catalog.json_agg(name) FROM pg_catalog.pg_cursors WHERE is_holdable)
)::pg_catalog.text, 'UTF8'), 'hex')
FROM (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(name, setting)) FILTER (WHERE source = 'session'),
COALESCE(pg_catalog.array_agg(pg_catalog.lower(name)) FILTER (WHERE pg_catalog.strpos(name, '.') > 0), '{}')
FROM pg_catalog.pg_settings) s(settings, dotted)`;

const arrayLiteral = (items: readonly string[]): string =>
  `{${items.map((item) => `"${item.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;

/** Its own name, because the unnamed statement is the client's. */
const STATE_STATEMENT = '_pgglide_state';

/** Prepares the question on a connection; together with askHoldings() in one go. */
export const prepareQuestion = (): Buffer =>
  Buffer.concat([closeStatement(STATE_STATEMENT), parse(STATE_STATEMENT, STATE_QUERY)]);

/** The messages that ask; they end in one Sync. `customNames`: settings with a dot, which pg_settings does not show. */
export const askHoldings = (customNames: Iterable<string>): Buffer =>
  Buffer.concat([bind(STATE_STATEMENT, [arrayLiteral([...customNames])]), execute(), sync()]);

interface StateRow {
  settings: [string, string][] | null;
  /** With whether pg_settings lists it, as it does an extension's: what the session has set of those is in `settings`. */
  custom: [string, string | null, boolean][] | null;
  sessionUser: string;
  role: string;
  channels: string[] | null;
  /** The names by text, which is the whole of what was sent together; null for those that were parsed. */
  prepared: [string | null, string[]][] | null;
  locks: [number, number, number, string][] | null;
  temporary: string[] | null;
  temporaryOthers: string[] | null;
  cursors: string[] | null;
}

export function readHoldings(answer: Answer | undefined): Holdings {
  const [row] = answer?.rows ?? [];
  if (row === undefined)
    throw new Error(`The session does not say what it holds: ${answer?.error?.message ?? ''}`);
  const hex = readDataRow(row)[0] ?? '';
  const state = JSON.parse(Buffer.from(hex, 'hex').toString('utf8')) as StateRow;
  const prepared = state.prepared ?? [];
  const custom = state.custom ?? [];
  return {
    settings: [
      ...(state.settings ?? []),
      ...custom.flatMap(([name, value, isListed]) =>
        value === null || isListed ? [] : [[name, value] as const],
      ),
    ],
    customNames: custom.flatMap(([name, value]) => (value === null ? [] : [name])),
    sessionUser: state.sessionUser,
    role: state.role,
    channels: state.channels ?? [],
    sqlPrepared: prepared.flatMap(([text, names]) => {
      if (text === null) return [];
      const statementOf = prepareStatementsIn(text);
      return names.map((name) => [name, statementOf(name) ?? ''] as const);
    }),
    parsed: prepared.flatMap(([text, names]) =>
      text === null ? names.filter((name) => name !== STATE_STATEMENT) : [],
    ),
    unknownStatements: [],
    advisoryLocks: (state.locks ?? []).map(([classId, objectId, keys, mode]) => ({
      classId,
      objectId,
      keys,
      shared: mode.startsWith('Share'),
    })),
    temporaryTables: state.temporary ?? [],
    temporaryOthers: state.temporaryOthers ?? [],
    holdCursors: state.cursors ?? [],
  };
}

/** Why such a session cannot be rebuilt elsewhere; undefined when it can. */
export function immovableBecause(holdings: Holdings): string | undefined {
  if (holdings.temporaryTables.length > 0) return `temporary tables: ${holdings.temporaryTables.join(', ')}`;
  if (holdings.temporaryOthers.length > 0)
    return `temporary functions or types: ${holdings.temporaryOthers.join(', ')}`;
  if (holdings.holdCursors.length > 0) return `cursors WITH HOLD: ${holdings.holdCursors.join(', ')}`;
  const unread = holdings.sqlPrepared.filter(([, statement]) => statement === '').map(([name]) => name);
  if (unread.length > 0) return `statements of PREPARE that cannot be told from others: ${unread.join(', ')}`;
  if (holdings.unknownStatements.length > 0)
    return `prepared statements of more than 16 MB: ${holdings.unknownStatements.join(', ')}`;
  return undefined;
}

/** One thing to rebuild. */
export interface Rebuild extends Exchange {
  /** For people, when it fails. */
  readonly what: string;
}

const call = (what: string, text: string, values: readonly string[]): Rebuild => ({
  what,
  messages: Buffer.concat([parse('', text), bind('', values), execute(), sync()]),
  points: 1,
});

const say = (what: string, text: string): Rebuild => ({
  what,
  ...readIn(UTF8, Buffer.from(text, 'utf8'), query(text)),
});

const fromHex = (position: number): string =>
  `pg_catalog.convert_from(pg_catalog.decode($${position}, 'hex'), 'UTF8')`;
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** What makes `applied` to `wanted`, in an order that works: settings and locks as the login role, then the roles. */
export function rebuild(wanted: Holdings, applied: Holdings): Rebuild[] {
  const has = new Map(applied.settings);
  const steps: Rebuild[] = undo(wanted, applied);
  for (const [name, value] of wanted.settings) {
    if (has.get(name) === value) continue;
    steps.push(
      call(`setting ${name}`, `SELECT pg_catalog.set_config(${fromHex(1)}, ${fromHex(2)}, false)`, [
        utf8Hex(name),
        utf8Hex(value),
      ]),
    );
  }
  const locked = new Set(applied.advisoryLocks.map(lockKey));
  for (const lock of wanted.advisoryLocks) if (!locked.has(lockKey(lock))) steps.push(takeLock(lock));
  for (const channel of wanted.channels) {
    if (!applied.channels.includes(channel)) {
      steps.push(say(`LISTEN ${channel}`, `LISTEN ${quoted(channel)}`));
    }
  }
  const prepared = new Map(applied.sqlPrepared);
  for (const [name, statement] of wanted.sqlPrepared) {
    if (prepared.get(name) !== statement) steps.push(say(`PREPARE ${name}`, statement));
  }
  if (wanted.sessionUser !== applied.sessionUser) {
    steps.push(
      say(
        `SESSION AUTHORIZATION ${wanted.sessionUser}`,
        `SET SESSION AUTHORIZATION ${quoted(wanted.sessionUser)}`,
      ),
    );
  }
  if (wanted.role !== applied.role) {
    steps.push(say(`ROLE ${wanted.role}`, `SET ROLE ${quoted(wanted.role)}`));
  }
  return steps;
}

/** The client has let go of these. */
function undo(wanted: Holdings, applied: Holdings): Rebuild[] {
  const settings = new Set(wanted.settings.map(([name]) => name));
  const prepared = new Map(wanted.sqlPrepared);
  const locks = new Set(wanted.advisoryLocks.map(lockKey));
  return [
    ...applied.settings
      .filter(([name]) => !settings.has(name))
      .map(([name]) => say(`RESET ${name}`, `RESET ${quoted(name)}`)),
    ...applied.channels
      .filter((channel) => !wanted.channels.includes(channel))
      .map((channel) => say(`UNLISTEN ${channel}`, `UNLISTEN ${quoted(channel)}`)),
    ...applied.sqlPrepared
      .filter(([name, statement]) => prepared.get(name) !== statement)
      .map(([name]) => say(`DEALLOCATE ${name}`, `DEALLOCATE ${quoted(name)}`)),
    ...applied.advisoryLocks.filter((lock) => !locks.has(lockKey(lock))).map(giveLockBack),
  ];
}

const lockKey = (lock: AdvisoryLock): string => JSON.stringify(lock);

const takeLock = (lock: AdvisoryLock): Rebuild =>
  callForLock(lock, lock.shared ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock');

const giveLockBack = (lock: AdvisoryLock): Rebuild =>
  callForLock(lock, lock.shared ? 'pg_advisory_unlock_shared' : 'pg_advisory_unlock');

function callForLock(lock: AdvisoryLock, name: string): Rebuild {
  const key =
    lock.keys === 1
      ? '(($1::pg_catalog.int8 << 32) | $2::pg_catalog.int8)'
      : // The keys are shown unsigned and taken signed.
        '$1::pg_catalog.int8::pg_catalog.bit(32)::pg_catalog.int4, $2::pg_catalog.int8::pg_catalog.bit(32)::pg_catalog.int4';
  // Division by zero is the shortest way for a statement to fail when the answer is no.
  return call(
    `advisory lock ${lock.classId}/${lock.objectId}`,
    `SELECT 1 / pg_catalog.${name}(${key})::pg_catalog.int4`,
    [String(lock.classId), String(lock.objectId)],
  );
}

/** Whether rebuild() can do it: behind a change of role it may lack the rights, and what roles it came through is not known. */
export const canBecome = (applied: Holdings, wanted: Holdings): boolean =>
  applied.role === 'none' || (applied.role === wanted.role && undo(wanted, applied).length === 0);
