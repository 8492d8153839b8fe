/** One session of ours on a server: pinned settings, typed rows, errors of our families. */

import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { withDeadline } from '../base/async.ts';
import { describeAddress, type ServerAddress } from '../config/server-address.ts';
import { tlsAttempts } from '../config/tls-attempts.ts';
import { UnreachableError } from '../domain/errors.ts';
import { newClient } from './new-client.ts';
import { RawExchange } from './raw-exchange.ts';
import { ident, type Sql, sql } from './sql.ts';
import {
  CANNOT_CONNECT_NOW,
  INVALID_AUTHORIZATION_SPECIFICATION,
  INVALID_CATALOG_NAME,
  OBJECT_NOT_IN_PREREQUISITE_STATE,
  TOO_MANY_CONNECTIONS,
} from './sqlstate.ts';
import { watchUnanswered } from './unanswered.ts';

export interface ConnectOptions {
  /** Shown in pg_stat_activity as "pgglide: <purpose>". */
  readonly purpose: string;
  /** Opens a logical replication session (CREATE_REPLICATION_SLOT ... EXPORT_SNAPSHOT). Such a session takes simple queries only. */
  readonly replication?: boolean;
}

/**
 * A machine of ours that is gone without a word, or cut off, leaves its sessions behind, with locks, snapshots and the runner's lock:
 * left to itself a server looks after two hours whether anybody is there. A minute of silence is outlived. Not tcp_user_timeout: it
 * would end a copy that is held by the throttle, too. In seconds.
 */
export const NOTICES_SILENCE: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '60',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '6',
};

/**
 * A role's or database's own time-outs would cancel long copies (idle and statement time-outs), its search_path
 * would decide what our queries mean, row security would silently hide rows, and a server that prints backslashes for
 * standard_conforming_strings = off has them doubled where it is on: all pinned, where they exist. Within a second a server
 * notices that we are gone, also while it waits for a lock, builds an index or reads a whole table.
 */
const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  search_path: 'pg_catalog',
  row_security: 'off',
  standard_conforming_strings: 'on',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  client_min_messages: 'warning',
  synchronous_commit: 'on',
  client_connection_check_interval: '1s',
  ...NOTICES_SILENCE,
};

const GOODBYE_MS = 2_000;
const LOOK_MS = 10_000;
/** Left to itself the system waits for two hours before it looks whether the other end is there still. */
const KEEP_ALIVE_MS = 60_000;

const INT8 = 20;
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    // Counts and sizes: exact below 2^53. Values that may be larger (sequences, hashes) are selected as text.
    if (oid === INT8 && format !== 'binary') return Number;
    return pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

export class Connection implements AsyncDisposable {
  readonly address: ServerAddress;
  readonly backendPid: number;
  readonly #client: pg.Client;
  #lost: Error | undefined;
  #turn: Promise<void> = Promise.resolve();

  private constructor(client: pg.Client, address: ServerAddress) {
    this.#client = client;
    this.address = address;
    this.backendPid = (client as unknown as { processID: number }).processID;
    client.on('error', (error) => {
      this.#lost ??= error;
    });
  }

  /** @throws {UnreachableError} `server_unreachable`, `login_failed`, `database_missing` */
  static async open(address: ServerAddress, options: ConnectOptions): Promise<Connection> {
    const client = await connectClient(address, options);
    const connection = new Connection(client, address);
    if (!options.replication) await connection.#pinSettings();
    return connection;
  }

  /** Undefined while the session lives. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  async query<Row extends object>(statement: Sql): Promise<Row[]> {
    return (await this.#run<Row>(statement)).rows;
  }

  /** The only row. */
  async one<Row extends object>(statement: Sql): Promise<Row> {
    const [row, ...more] = await this.query<Row>(statement);
    if (row === undefined || more.length > 0) {
      throw new Error(`Expected one row, got ${row === undefined ? 0 : more.length + 1}: ${statement.text}`);
    }
    return row;
  }

  /** Rows affected. */
  async execute(statement: Sql): Promise<number> {
    return (await this.#run(statement)).rowCount ?? 0;
  }

  /**
   * Several statements in one round trip over the simple protocol, in one implicit transaction
   * unless they say BEGIN and COMMIT themselves. No parameters.
   */
  async script(statements: Sql): Promise<void> {
    if (statements.values.length > 0) throw new Error('A script takes no parameters: use literal()');
    await this.#inTurn(() => this.#client.query(statements.text));
  }

  /** The same, with the rows of each statement. */
  async scriptResults<Row extends object>(statements: Sql): Promise<Row[][]> {
    if (statements.values.length > 0) throw new Error('A script takes no parameters: use literal()');
    const results = (await this.#inTurn(() => this.#client.query(statements.text))) as
      | pg.QueryResult<Row>
      | pg.QueryResult<Row>[];
    return [results].flat().map(({ rows }) => rows);
  }

  /** BEGIN, work, COMMIT; ROLLBACK when it throws. */
  async transaction<T>(work: () => Promise<T>, begin: Sql = sql`BEGIN`): Promise<T> {
    await this.script(begin);
    try {
      const result = await work();
      await this.script(sql`COMMIT`);
      return result;
    } catch (error) {
      if (this.#lost === undefined) await this.script(sql`ROLLBACK`).catch(() => undefined);
      throw error;
    }
  }

  /** COPY ... TO STDOUT as a byte stream. */
  copyOut(statement: Sql): Readable {
    return this.#client.query(copyTo(statement.text));
  }

  /** COPY ... FROM STDIN as a byte sink; `finish` has fired once the server has answered. */
  copyIn(statement: Sql): Writable & { readonly rowCount: number } {
    return this.#client.query(copyFrom(statement.text)) as unknown as Writable & {
      readonly rowCount: number;
    };
  }

  /** Sends frontend messages that end in Query or Sync as they are; resolves to the server's bytes up to ReadyForQuery, in pieces. */
  async exchange(messages: Uint8Array): Promise<readonly Uint8Array[]> {
    const exchange = new RawExchange(messages);
    this.#client.query(exchange);
    return exchange.answer;
  }

  /** Lets a query object of ours talk on the session's own socket (the bulk copy); node-postgres calls it back. */
  submit(query: pg.Submittable): void {
    this.#client.query(query);
  }

  /** Ends the session; never throws, and does not wait for a server that says nothing any more. */
  async close(): Promise<void> {
    await withDeadline('the goodbye', GOODBYE_MS, this.#client.end()).catch(() => this.destroy());
  }

  /** Cuts the socket without a goodbye: the server rolls back. */
  destroy(): void {
    this.#lost ??= new Error('The connection was cut');
    this.#stream.destroy();
  }

  get #stream(): Socket {
    return (this.#client as unknown as { connection: { stream: Socket } }).connection.stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #run<Row extends object>(statement: Sql): Promise<pg.QueryResult<Row>> {
    return this.#inTurn(() =>
      this.#client.query<Row>({ text: statement.text, values: [...statement.values] }),
    );
  }

  /** A session executes one statement at a time: callers that do not wait for each other queue here. */
  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = before.then(() => this.#guarded(this.#watched(run())));
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #watched<T>(work: Promise<T>): Promise<T> {
    const end = watchUnanswered({
      received: () => this.#stream.bytesRead,
      isAtWork: () => this.#isAtWork(),
      giveUp: () => {
        this.#lost ??= new Error(
          'no answer comes any more, and the server works on none, or cannot be reached',
        );
        this.destroy();
      },
    });
    try {
      return await work;
    } finally {
      end();
    }
  }

  /** As another session sees it. False also where none can be had: the network is broken, or the server is gone. */
  async #isAtWork(): Promise<boolean> {
    let client: pg.Client | undefined;
    try {
      client = await connectClient(this.address, { purpose: 'look' });
      const asked = client.query<{ state: string | null }>(
        'SELECT state FROM pg_catalog.pg_stat_activity WHERE pid = $1',
        [this.backendPid],
      );
      const { rows } = await withDeadline('the look', LOOK_MS, asked);
      // Without track_activities it does not tell.
      return rows.some(({ state }) => !state?.startsWith('idle'));
    } catch (error) {
      // It answers, though it does not let us in.
      return sqlState(error instanceof UnreachableError ? error.cause : error) !== undefined;
    } finally {
      void client?.end().catch(() => undefined);
    }
  }

  /** A session that ended under us is the server's unreachability, not a failed statement. */
  async #guarded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isSessionLoss(error)) throw error;
      this.#lost ??= error instanceof Error ? error : new Error(String(error));
      throw new UnreachableError(
        'server_lost',
        `The session with ${describeAddress(this.address)} ended: ${this.#lost.message}`,
        {
          hint: 'When the server is back, run the same command again; it goes on where it stopped.',
          facts: { host: this.address.host, port: this.address.port },
          cause: error,
        },
      );
    }
  }

  async #pinSettings(): Promise<void> {
    // Alone and first: a role's own statement_timeout counts until then, and the next is not instant on a busy server.
    await this.script(sql`SET statement_timeout = 0`);
    await this.query(sql`
      SELECT set_config(s.name, p.value, false)
      FROM pg_catalog.json_each_text(${JSON.stringify(PINNED_SETTINGS)}::json) AS p(name, value)
      JOIN pg_catalog.pg_settings s ON s.name = p.name`);
  }
}

class NoPasswordError extends Error {}

/** Called when the server asks. */
function refusePassword(): never {
  throw new NoPasswordError();
}

async function connectClient(address: ServerAddress, options: ConnectOptions): Promise<pg.Client> {
  const attempts = tlsAttempts(address);
  let failure: unknown;
  for (const ssl of attempts) {
    const client = newClient({
      host: address.host,
      port: address.port,
      user: address.user,
      database: address.database,
      password: address.password || refusePassword,
      application_name: `pgglide: ${options.purpose}`,
      connectionTimeoutMillis: address.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      client_encoding: 'UTF8',
      ssl,
      types,
      options: address.options,
      ...(options.replication ? ({ replication: 'database' } as object) : {}),
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      failure = error;
      if (error instanceof NoPasswordError) break;
      if (sqlState(error) !== undefined && sqlState(error) !== INVALID_AUTHORIZATION_SPECIFICATION) break;
    }
  }
  throw loginFailure(address, failure);
}

/** Everything but a server's own verdict on a statement, and the verdicts that say goodbye (57P01..57P05: shutdown, crash, ...). */
function isSessionLoss(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return false;
  const state = sqlState(error);
  return state === undefined || /^57P0[1-5]$/.test(state);
}

/** The five-character SQLSTATE of a server's error; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined;
  return error.code;
}

/** By the codes of Node and OpenSSL; the second is node-postgres' word for a server that declines. */
const isTlsFailure = (error: unknown): boolean =>
  /^(ERR_(TLS|SSL|OSSL)_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_)/.test(
    (error as { code?: string }).code ?? '',
  ) || (error as Error).message === 'The server does not support SSL connections';

function loginFailure(address: ServerAddress, cause: unknown): UnreachableError {
  const where = describeAddress(address);
  const facts = { host: address.host, port: address.port, user: address.user, database: address.database };
  const state = sqlState(cause);
  const reason =
    cause instanceof Error ? cause.message || String((cause as { code?: string }).code) : String(cause);
  if (state === INVALID_CATALOG_NAME) {
    return new UnreachableError(
      'database_missing',
      `Database "${address.database}" does not exist at ${where}`,
      {
        hint: `Create it there, or name another database in the connection string.`,
        facts,
        cause,
      },
    );
  }
  if (state === OBJECT_NOT_IN_PREREQUISITE_STATE) {
    return new UnreachableError('database_closed', `${where} lets nobody in: ${reason}`, {
      hint: `ALTER DATABASE ${ident(address.database).text} ALLOW_CONNECTIONS true; there, or leave it out.`,
      facts,
      cause,
    });
  }
  if (cause instanceof NoPasswordError) {
    return new UnreachableError(
      'login_failed',
      `${where} asks for the password of "${address.user}", and none was given`,
      { hint: `Give it: ${PASSWORD_PLACES}.`, facts },
    );
  }
  if (state?.startsWith('28')) {
    return new UnreachableError('login_failed', `${where} does not let "${address.user}" in: ${reason}`, {
      hint: `Check user and password (${PASSWORD_PLACES}) and the server’s pg_hba.conf.`,
      facts,
      cause,
    });
  }
  return new UnreachableError('server_unreachable', `Cannot reach PostgreSQL at ${where}: ${reason}`, {
    hint: unreachableHint(address, cause),
    facts,
    cause,
  });
}

const PASSWORD_PLACES =
  'PGPASSWORD for the source, PGGLIDE_TARGET_PASSWORD for the target, .pgpass or passwordFrom';

function unreachableHint({ sslMode }: ServerAddress, cause: unknown): string {
  if (isTlsFailure(cause))
    return `It answers, but not with the TLS that sslmode=${sslMode} asks for: check sslmode, sslrootcert and the names in the server’s certificate.`;
  switch (sqlState(cause)) {
    case TOO_MANY_CONNECTIONS:
      return 'It answers, but takes no more sessions: end sessions there, or raise the limit (max_connections, CONNECTION LIMIT of the role or the database).';
    case CANNOT_CONNECT_NOW:
      return 'It answers, but is starting up, shutting down or recovering. Wait until it is ready, then run the same command again.';
    case undefined:
      return 'Check host, port and network; is the server running?';
    default:
      return 'It answers, but not to what is asked of it: check options= of the connection string, PGOPTIONS, and its log.';
  }
}
