/**
 * The TrafficSwitch over PgBouncers in transaction or statement mode: PAUSE, rewrite the entry, RELOAD, RESUME.
 * PgBouncer knows no lease: see kept-switch.ts.
 * @see https://www.pgbouncer.org/usage.html#admin-console
 */

import { access, chown, constants, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import pg from 'pg';
import { allEnded, DeadlineError, withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { type TlsAttempt, tlsAttempts } from '../config/tls-attempts.ts';
import { epochMoved } from '../domain/epoch-moved.ts';
import { PrerequisiteError, UnprovenError, UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { type Entry, notedEpoch, pointAll } from './pgbouncer-config.ts';
import type { Drained, Obstacle, TrafficState, TrafficSwitch } from './traffic-switch.ts';

export interface PgBouncer {
  /** Its console: database `pgbouncer`, a user of admin_users. */
  readonly console: ServerAddress;
  /** pgbouncer.ini, or the file it %includes, with the database's entry. */
  readonly configFile: string;
}

export interface PgBouncerSwitchOptions {
  readonly bouncers: readonly PgBouncer[];
  /** The entry's name under [databases]. */
  readonly database: string;
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  /** Databases that move together with the servers' own; their entries have the databases' names. */
  readonly others?: readonly string[];
}

function entriesOf({ database, servers, others = [] }: PgBouncerSwitchOptions): Entry[] {
  const { source, target } = servers;
  const other = (name: string): Entry => ({
    name,
    servers: { source: { ...source, database: name }, target: { ...target, database: name } },
  });
  return [{ name: database, servers }, ...others.map(other)];
}

const CONSOLE_TIMEOUT_MS = 5_000;
/** PgBouncer's own errors have this SQLSTATE; "already paused" and "not paused" are no harm. */
const CONSOLE_ERROR = '08P01';

export function openPgBouncerSwitch(options: PgBouncerSwitchOptions): TrafficSwitch {
  return new PgBouncerSwitch(options);
}

class PgBouncerSwitch implements TrafficSwitch {
  readonly #options: PgBouncerSwitchOptions;
  readonly #entries: readonly Entry[];
  readonly #tls = new Map<PgBouncer, TlsAttempt[]>();
  /** The epoch that the file tells of, from prepare() on: whoever else moves traffic writes another. */
  readonly #knownEpoch = new Map<PgBouncer, number>();
  #pausedSinceMs: number | undefined;

  constructor(options: PgBouncerSwitchOptions) {
    this.#options = options;
    this.#entries = entriesOf(options);
  }

  /** @throws {PrerequisiteError} `pgbouncer_session_pool`, `pgbouncer_database_missing`, `pgbouncer_config_unreadable` */
  async observe(): Promise<TrafficState> {
    const { bouncers } = this.#options;
    const seen = await this.#all(async (bouncer) => ({
      rows: await this.#switchable(bouncer),
      ini: await this.#configOf(bouncer),
    }));
    const rows = seen.flatMap((one) => one.rows);
    const sides = rows.map((row) => this.#sideOf(row));
    const [activeSide] = sides;
    if (activeSide === undefined || sides.some((side) => side !== activeSide)) {
      throw new UnprovenError(
        'proxies_disagree',
        `PgBouncer's ${this.#names} is neither clearly the source nor the target`,
        {
          hint: 'Compare SHOW DATABASES on each console with the configured servers.',
          facts: { sides },
        },
      );
    }
    return {
      activeSide,
      epoch: Math.max(...seen.map(({ ini }) => notedEpoch(ini))),
      paused: rows.some((row) => Number(row.paused) !== 0),
      sessions: rows.reduce((sum, row) => sum + Number(row.current_connections), 0),
      description: `pgbouncer ${bouncers.map(({ console }) => `${console.host}:${console.port}`).join(', ')}`,
    };
  }

  /** PgBouncer cannot open connections ahead: this only proves that it could be switched. @throws {PrerequisiteError} as observe() */
  async prepare(_to: Side) {
    await this.#all(async (bouncer) => {
      await this.#switchable(bouncer);
      const ini = await this.#configOf(bouncer);
      pointAll(ini, this.#entries, 'source', 0);
      this.#knownEpoch.set(bouncer, notedEpoch(ini));
      // Behind the commit point requests would wait for whoever mends it.
      await tryToReplace(bouncer.configFile).catch((cause: unknown) => {
        throw new PrerequisiteError('pgbouncer_config_unreadable', `Cannot replace ${bouncer.configFile}`, {
          hint: 'pgglide must be able to read and replace the file with the database’s entry.',
          cause,
        });
      });
    });
    return { ready: 0, obstacles: [], failures: [] };
  }

  async pause({ drainTimeoutMs }: { drainTimeoutMs: number }): Promise<Drained> {
    this.#pausedSinceMs ??= performance.now();
    const pausing = this.#all((bouncer) =>
      this.#ofEach((name) => this.#command(bouncer, `PAUSE ${name}`, drainTimeoutMs + CONSOLE_TIMEOUT_MS)),
    );
    try {
      await withDeadline('PAUSE', drainTimeoutMs, pausing);
      return { drained: true, obstacles: [] };
    } catch (error) {
      if (!(error instanceof DeadlineError)) {
        await this.#letGo();
        throw error;
      }
      pausing.catch(() => undefined);
      const obstacles = (await this.#all((bouncer) => this.#busyServers(bouncer))).flat();
      return { drained: false, obstacles };
    }
  }

  async renew(): Promise<void> {}

  async committing(): Promise<void> {}

  /** @throws {RefusedError} `epoch_moved`: another run moved traffic while this one stood still; it is left where it is */
  async resume(side: Side, epoch: number) {
    const waiting = await this.#all((bouncer) => this.#waiting(bouncer));
    await this.#all(async (bouncer) => {
      const rows = await this.#rowsOf(bouncer);
      if (rows.some((row) => this.#sideOf(row) !== side)) await this.#repoint(bouncer, side, epoch);
      await this.#ofEach((name) => this.#command(bouncer, `RESUME ${name}`).catch(ignoreConsoleError));
    });
    const pauseMs = this.#pausedSinceMs === undefined ? 0 : performance.now() - this.#pausedSinceMs;
    this.#pausedSinceMs = undefined;
    const longestWaitMs = Math.max(0, ...waiting.map(({ longestMs }) => longestMs));
    return {
      pauseMs,
      waits: {
        heldRequests: waiting.reduce((sum, { clients }) => sum + clients, 0),
        longestWaitMs,
        p50Ms: longestWaitMs,
        p95Ms: longestWaitMs,
        p99Ms: longestWaitMs,
        failedRequests: 0,
        sessionsMoved: 0,
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** For messages. */
  get #names(): string {
    return this.#entries.map(({ name }) => `"${name}"`).join(', ');
  }

  /** Each with its name as the console takes it; all at once, so that no entry's drain waits for another's. */
  async #ofEach<T>(work: (name: string) => Promise<T>): Promise<T[]> {
    return allEnded(this.#entries.map(({ name }) => work(pg.escapeIdentifier(name))));
  }

  async #letGo(): Promise<void> {
    this.#pausedSinceMs = undefined;
    await Promise.allSettled(
      this.#options.bouncers.map((bouncer) =>
        this.#ofEach((name) => this.#command(bouncer, `RESUME ${name}`)),
      ),
    );
  }

  /** @throws {PrerequisiteError} `pgbouncer_config_refused`: it is still where it was, and paused */
  async #repoint(bouncer: PgBouncer, side: Side, epoch: number): Promise<void> {
    const { configFile } = bouncer;
    const before = await this.#configOf(bouncer);
    const noted = notedEpoch(before);
    if (noted !== epoch && noted !== (this.#knownEpoch.get(bouncer) ?? noted))
      throw epochMoved(`Another run has moved PgBouncer's ${this.#names} meanwhile`, {
        configFile,
        noted,
        epoch,
      });
    await replaceFile(configFile, pointAll(before, this.#entries, side, epoch));
    // What it cannot read it may leave without a word.
    const refusal = await this.#command(bouncer, 'RELOAD').then(() => undefined, consoleError);
    const rows = await this.#rowsOf(bouncer);
    if (refusal === undefined && rows.every((row) => this.#sideOf(row) === side)) {
      this.#knownEpoch.set(bouncer, epoch);
      return;
    }
    throw new PrerequisiteError(
      'pgbouncer_config_refused',
      `PgBouncer was told to RELOAD ${configFile} and is not on the ${side}`,
      {
        hint: 'Its log says what it does not take in the file, or that it cannot read it. Mend that and run the same command again; requests wait until then.',
        facts: { configFile },
        cause: refusal,
      },
    );
  }

  #sideOf(entry: DatabaseEntry): Side | undefined {
    const { source, target } = this.#options.servers;
    const isAt = ({ host, port }: ServerAddress) => entry.host === host && Number(entry.port) === port;
    if (isAt(source)) return 'source';
    return isAt(target) ? 'target' : undefined;
  }

  /** One row of SHOW DATABASES an entry. */
  async #rowsOf(bouncer: PgBouncer): Promise<DatabaseEntry[]> {
    const rows = await this.#command<DatabaseEntry>(bouncer, 'SHOW DATABASES');
    return this.#entries.map(({ name }) => {
      const row = rows.find((one) => one.name === name);
      if (row !== undefined) return row;
      throw new PrerequisiteError('pgbouncer_database_missing', `PgBouncer has no database "${name}"`);
    });
  }

  async #switchable(bouncer: PgBouncer): Promise<DatabaseEntry[]> {
    const rows = await this.#rowsOf(bouncer);
    const usual = await this.#defaultPoolMode(bouncer);
    const bySession = rows.filter((row) => (row.pool_mode || usual) === 'session');
    if (bySession.length === 0) return rows;
    throw new PrerequisiteError(
      'pgbouncer_session_pool',
      `PgBouncer pools ${bySession.map(({ name }) => `"${name}"`).join(', ')} by session`,
      { hint: 'PAUSE would wait for clients to disconnect. Use pool_mode = transaction, or pgglide proxy.' },
    );
  }

  async #configOf({ configFile }: PgBouncer): Promise<string> {
    return await readFile(configFile, 'utf8').catch((cause: unknown) => {
      throw new PrerequisiteError('pgbouncer_config_unreadable', `Cannot read ${configFile}`, {
        hint: 'pgglide must be able to read and replace the file with the database’s entry.',
        cause,
      });
    });
  }

  async #defaultPoolMode(bouncer: PgBouncer): Promise<string> {
    const rows = await this.#command<{ key: string; value: string }>(bouncer, 'SHOW CONFIG');
    return rows.find(({ key }) => key === 'pool_mode')?.value ?? 'session';
  }

  async #busyServers(bouncer: PgBouncer): Promise<Obstacle[]> {
    const rows = await this.#command<{ database: string; user: string; state: string; remote_pid: string }>(
      bouncer,
      'SHOW SERVERS',
    );
    return rows
      .filter(({ database, state }) => this.#isOurs(database) && state === 'active')
      .map(({ user, remote_pid }) => ({
        pid: Number(remote_pid),
        user,
        what: 'a transaction is open',
        query: undefined,
      }));
  }

  async #waiting(bouncer: PgBouncer): Promise<{ clients: number; longestMs: number }> {
    const rows = await this.#command<{
      database: string;
      cl_waiting: string;
      maxwait: string;
      maxwait_us: string;
    }>(bouncer, 'SHOW POOLS');
    const own = rows.filter(({ database }) => this.#isOurs(database));
    return {
      clients: own.reduce((sum, { cl_waiting }) => sum + Number(cl_waiting), 0),
      longestMs: Math.max(
        0,
        ...own.map(({ maxwait, maxwait_us }) => Number(maxwait) * 1000 + Number(maxwait_us) / 1000),
      ),
    };
  }

  #isOurs(database: string): boolean {
    return this.#entries.some(({ name }) => name === database);
  }

  async #all<T>(work: (bouncer: PgBouncer) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled(this.#options.bouncers.map(work));
    return outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
  }

  /** One connection a command: a PAUSE that waits occupies its console. */
  async #command<Row extends object>(
    bouncer: PgBouncer,
    text: string,
    timeoutMs = CONSOLE_TIMEOUT_MS,
  ): Promise<Row[]> {
    const client = await this.#login(bouncer);
    try {
      return (await withDeadline(text, timeoutMs, client.query<Row>(text))).rows;
    } finally {
      void client.end().catch(() => undefined);
    }
  }

  /** As its sslmode says; what worked once is tried first from then on. */
  async #login(bouncer: PgBouncer): Promise<pg.Client> {
    const { host, port, user, password, database } = bouncer.console;
    let cause: unknown;
    for (const ssl of this.#tls.get(bouncer) ?? tlsAttempts(bouncer.console)) {
      const client = new pg.Client({
        host,
        port,
        user,
        password: password ?? '',
        database,
        ssl,
        connectionTimeoutMillis: CONSOLE_TIMEOUT_MS,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        this.#tls.set(bouncer, [ssl]);
        return client;
      } catch (error) {
        cause = error;
      }
    }
    throw new UnreachableError('proxy_unreachable', `Cannot reach PgBouncer's console at ${host}:${port}`, {
      hint: 'Is it running, and may this user connect to the database pgbouncer (admin_users)?',
      cause,
    });
  }
}

interface DatabaseEntry {
  readonly name: string;
  readonly host: string;
  readonly port: string;
  readonly pool_mode: string | null;
  readonly current_connections: string;
  readonly paused: string | number;
}

function consoleError(error: unknown): Error {
  if (error instanceof pg.DatabaseError && error.code === CONSOLE_ERROR) return error;
  throw error;
}

function ignoreConsoleError(error: unknown): void {
  consoleError(error);
}

/** By a rename, so that it is never half written, and with the same mode and owner: PgBouncer must be able to read it. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = await writeBeside(path, text);
  // Only root gives files away: what is somebody else's is written in its place.
  await (temporary === undefined ? writeFile(path, text) : rename(temporary, path));
}

/** Leaves the file itself alone. @throws why it cannot be replaced */
async function tryToReplace(path: string): Promise<void> {
  const temporary = await writeBeside(path, '');
  await (temporary === undefined ? access(path, constants.W_OK) : rm(temporary));
}

/** @returns undefined where we may not give a file its owner */
async function writeBeside(path: string, text: string): Promise<string | undefined> {
  const { mode, uid, gid } = await stat(path);
  const temporary = `${path}.pgglide`;
  await rm(temporary, { force: true });
  await writeFile(temporary, text, { mode });
  const isOwned = await chown(temporary, uid, gid).then(
    () => true,
    () => false,
  );
  if (isOwned) return temporary;
  await rm(temporary);
  return undefined;
}
