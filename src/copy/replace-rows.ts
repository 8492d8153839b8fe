/** Makes tables of one side hold the rows of the other's: emptied and filled in one transaction, so that readers see either. */

import { messageOf } from '../base/message-of.ts';
import type { ServerAddress } from '../config/server-address.ts';
import type { AsideTable } from '../domain/aside.ts';
import { PgglideError, PrerequisiteError, UnreachableError } from '../domain/errors.ts';
import { qualified, type Side } from '../domain/names.ts';
import { beginWithBriefLock } from '../postgres/brief-lock.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import { ident, list, type Sql, sql, trusted } from '../postgres/sql.ts';
import { flushWal } from '../postgres/wal.ts';
import { PipeError, pipeCopies } from './copy-pipe.ts';
import { copyInStatements, copyOutStatement } from './copy-statements.ts';
import { foreignKeyGroups } from './foreign-key-groups.ts';
import { chooseFormats, serverEncoding } from './formats.ts';
import type { CopyPart } from './parts.ts';
import { CopySessions } from './session.ts';
import { Throttle } from './throttle.ts';

export interface ReplaceOptions {
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  /** The rows' side; the other one takes them. */
  readonly from: Side;
  readonly to: Side;
  readonly tables: readonly AsideTable[];
  readonly rateLimitBytesPerSecond: number | undefined;
  /** Called inside the taking side's transaction. */
  readonly record?: (taking: Connection, tables: readonly AsideTable[]) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Long enough for an autovacuum to notice that somebody waits, and to give way. Nobody writes on the taking side. */
const LOCK_TIMEOUT_MS = 1500;

/**
 * Tables joined by foreign keys go together, the others one after the other, so that no table of the giving side is held
 * (ACCESS SHARE) for longer than its own copy takes. No trigger fires and no foreign key is checked where our role may
 * say that it replicates. ANALYZE follows.
 *
 * @returns the rows copied
 * @throws {PrerequisiteError} `rows_not_copied`, `lock_not_available`
 * @throws {UnreachableError} `server_lost`
 */
export async function replaceRows(options: ReplaceOptions): Promise<number> {
  const { servers, from, to, tables, signal } = options;
  const sessions = new CopySessions({ source: servers[from], target: servers[to] });
  const onAbort = () => sessions.cut();
  signal.addEventListener('abort', onAbort);
  try {
    const giving = await sessions.open('source');
    const taking = await sessions.open('target');
    let rows = 0;
    for (const group of foreignKeyGroups(tables)) {
      signal.throwIfAborted();
      rows += await replaceGroup(options, giving, taking, group);
    }
    await flushWal(taking);
    await Promise.all([sessions.close('source', giving), sessions.close('target', taking)]);
    return rows;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await sessions.end();
  }
}

async function replaceGroup(
  { from, to, rateLimitBytesPerSecond, record, signal }: ReplaceOptions,
  giving: Connection,
  taking: Connection,
  tables: readonly AsideTable[],
): Promise<number> {
  await assertQuiet(taking, tables, to);
  const [formatOf, encoding] = [await chooseFormats(giving, taking), await serverEncoding(taking)];
  const parts = tables.map((table) => partOf(table, formatOf(table)));
  const throttle = new Throttle({ rateLimit: () => rateLimitBytesPerSecond, now: () => performance.now() });
  try {
    await beginWithBriefLock(taking, emptySql(tables), { lockTimeoutMs: LOCK_TIMEOUT_MS, signal });
    const copies = await pipeCopies({
      source: giving,
      target: taking,
      sourceScript: list(
        [
          sql`BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY`,
          ...parts.map((part) => copyOutStatement(part, { encoding })),
        ],
        '; ',
      ),
      targetScript: list(
        parts.flatMap((part) => copyInStatements(part, { encoding })),
        '; ',
      ),
      holdMs: (bytes) => throttle.holdMs(bytes),
      onData: () => undefined,
    });
    await record?.(taking, tables);
    await Promise.all([giving.script(sql`COMMIT`), taking.script(sql`COMMIT`)]);
    await taking.script(
      list(
        tables.map((table) => sql`ANALYZE ${nameOf(table)}`),
        '; ',
      ),
    );
    return copies.reduce((sum, copy) => sum + copy.rows, 0);
  } catch (error) {
    throw failure(error, tables, { source: from, target: to });
  }
}

const nameOf = (table: AsideTable): Sql => ident(table.schema, table.name);

/** As if it were small: it has been emptied already, together with what refers to it. */
const partOf = (table: AsideTable, format: CopyPart['format']): CopyPart => ({
  id: qualified(table),
  table,
  heap: { schema: table.schema, name: table.name, bytes: 0, blocks: 0 },
  format,
  bytes: 0,
  ...(table.kind === 'configuration' ? { condition: table.condition } : {}),
});

/** An extension's table keeps the rows that the extension itself has put there. */
function emptySql(tables: readonly AsideTable[]): Sql {
  const unlogged = tables.filter(({ kind }) => kind === 'unlogged');
  const truncated = list(unlogged.map((table) => sql`ONLY ${nameOf(table)}`));
  const deleted = tables
    .filter(({ kind }) => kind === 'configuration')
    .map((table) => sql`DELETE FROM ONLY ${nameOf(table)} ${trusted(table.condition)}`);
  return list([...deleted, ...(unlogged.length === 0 ? [] : [sql`TRUNCATE ${truncated}`])], '; ');
}

/** Triggers have fired where the rows were written; to fire again they would do their work twice. */
async function assertQuiet(taking: Connection, tables: readonly AsideTable[], to: Side): Promise<void> {
  const loud = tables.filter(({ hasTriggers }) => hasTriggers);
  if (loud.length === 0) return;
  const { role } = await taking.one<{ role: string }>(
    sql`SELECT current_setting('session_replication_role') AS role`,
  );
  if (role === 'replica') return;
  throw new PrerequisiteError(
    'rows_not_copied',
    `Triggers of ${loud.map(qualified).join(', ')} would fire for rows that are copied: our role on the ${to} may not set session_replication_role`,
    {
      hint: `GRANT SET ON PARAMETER session_replication_role (PostgreSQL 15 and newer), or connect as a superuser; or ${LEAVE}.`,
    },
  );
}

const LEAVE = 'leave unlogged tables empty (copy.unloggedTables: empty) or a table out (scope.exclude)';

function failure(
  error: unknown,
  tables: readonly AsideTable[],
  sides: Readonly<Record<Side, Side>>,
): unknown {
  const { side, cause, names } = placed(error, tables, sides);
  const state = sqlState(cause);
  if (error instanceof PgglideError || (state === undefined && !(error instanceof PipeError))) return error;
  const message = messageOf(error);
  const details = { facts: { side, tables: names, sqlState: state }, cause };
  if (state === undefined || /^(08|57P0[1-5])/.test(state)) {
    return new UnreachableError(
      'server_lost',
      `The ${side} ended the session that copied ${names}: ${message}`,
      {
        ...details,
        hint: 'When the server is back, run the same command again; it goes on where it stopped.',
      },
    );
  }
  return new PrerequisiteError(
    'rows_not_copied',
    `The rows of ${names} cannot be copied, the ${side} says: ${message}`,
    { ...details, hint: `Mend what it says, or ${LEAVE}; then run the same command again.` },
  );
}

function placed(error: unknown, tables: readonly AsideTable[], sides: Readonly<Record<Side, Side>>) {
  const all = tables.map(qualified).join(', ');
  // Outside of the pipe only the taking side is asked for anything that can fail.
  if (!(error instanceof PipeError)) return { side: sides.target, cause: error, names: all };
  const table = tables[error.index];
  return {
    side: sides[error.side],
    cause: error.cause,
    names: table === undefined ? all : qualified(table),
  };
}
