/**
 * What is said to one PgBouncer on its console.
 * @see https://www.pgbouncer.org/usage.html#admin-console
 */

import pg from 'pg';
import { withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { type TlsAttempt, tlsAttempts } from '../config/tls-attempts.ts';
import { PrerequisiteError, UnreachableError } from '../domain/errors.ts';
import { newClient } from '../postgres/new-client.ts';
import type { Obstacle } from './traffic-switch.ts';

/** One row of SHOW DATABASES. */
export interface DatabaseEntry {
  readonly name: string;
  readonly host: string;
  readonly port: string;
  readonly pool_mode: string | null;
  readonly current_connections: string;
  readonly paused: string | number;
}

interface Server {
  readonly database: string;
  readonly user: string;
  readonly state: string;
  readonly remote_pid: string;
}

interface Pool {
  readonly database: string;
  readonly cl_waiting: string;
  readonly maxwait: string;
  readonly maxwait_us: string;
}

export interface Waiting {
  readonly clients: number;
  readonly longestMs: number;
}

const TIMEOUT_MS = 5_000;
/** PgBouncer's own errors have this SQLSTATE. */
const CONSOLE_ERROR = '08P01';

export class PgBouncerConsole {
  /** "host:port" */
  readonly place: string;
  readonly #address: ServerAddress;
  #tls: readonly TlsAttempt[];

  /** A database `pgbouncer`, a user of admin_users. */
  constructor(address: ServerAddress) {
    this.#address = address;
    this.#tls = tlsAttempts(address);
    this.place = `${address.host}:${address.port}`;
  }

  /** Of the names, in their order. @throws {PrerequisiteError} `pgbouncer_database_missing` */
  async entries(names: readonly string[]): Promise<DatabaseEntry[]> {
    const rows = await this.#ask<DatabaseEntry>('SHOW DATABASES');
    return names.map((name) => {
      const row = rows.find((one) => one.name === name);
      if (row !== undefined) return row;
      throw new PrerequisiteError('pgbouncer_database_missing', `PgBouncer has no database "${name}"`);
    });
  }

  /** Of entries that name none. */
  async defaultPoolMode(): Promise<string> {
    const rows = await this.#ask<{ key: string; value: string }>('SHOW CONFIG');
    return rows.find(({ key }) => key === 'pool_mode')?.value ?? 'session';
  }

  /** Resolves when the entry's running transactions have ended; it stays paused where `drainTimeoutMs` is over first. */
  async pause(name: string, drainTimeoutMs: number): Promise<void> {
    await this.#ask(`PAUSE ${pg.escapeIdentifier(name)}`, drainTimeoutMs + TIMEOUT_MS);
  }

  /** One that is not paused is no harm. */
  async resume(name: string): Promise<void> {
    await this.#ask(`RESUME ${pg.escapeIdentifier(name)}`).catch(consoleError);
  }

  /** @returns what it says against its configuration, if it says so */
  async reload(): Promise<Error | undefined> {
    return this.#ask('RELOAD').then(() => undefined, consoleError);
  }

  /** Those whose transaction is not over. */
  async busyServers(names: readonly string[]): Promise<Obstacle[]> {
    const rows = await this.#ask<Server>('SHOW SERVERS');
    return rows
      .filter(({ database, state }) => names.includes(database) && state === 'active')
      .map(({ user, remote_pid }) => ({
        pid: Number(remote_pid),
        user,
        what: 'a transaction is open',
        query: undefined,
      }));
  }

  async waiting(names: readonly string[]): Promise<Waiting> {
    const rows = await this.#ask<Pool>('SHOW POOLS');
    const own = rows.filter(({ database }) => names.includes(database));
    const waits = own.map(({ maxwait, maxwait_us }) => Number(maxwait) * 1000 + Number(maxwait_us) / 1000);
    return {
      clients: own.reduce((sum, { cl_waiting }) => sum + Number(cl_waiting), 0),
      longestMs: Math.max(0, ...waits),
    };
  }

  /** One connection a command: a PAUSE that waits occupies its console. */
  async #ask<Row extends object>(text: string, timeoutMs = TIMEOUT_MS): Promise<Row[]> {
    const client = await this.#logIn();
    try {
      return (await withDeadline(text, timeoutMs, client.query<Row>(text))).rows;
    } finally {
      void client.end().catch(() => undefined);
    }
  }

  /** As its sslmode says; what worked once is tried first from then on. */
  async #logIn(): Promise<pg.Client> {
    const { host, port, user, password, database } = this.#address;
    let cause: unknown;
    for (const ssl of this.#tls) {
      const client = newClient({
        host,
        port,
        user,
        password: password ?? '',
        database,
        ssl,
        connectionTimeoutMillis: TIMEOUT_MS,
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        this.#tls = [ssl];
        return client;
      } catch (error) {
        cause = error;
      }
    }
    throw new UnreachableError('proxy_unreachable', `Cannot reach PgBouncer's console at ${this.place}`, {
      hint: 'Is it running, and may this user connect to the database pgbouncer (admin_users)?',
      cause,
    });
  }
}

function consoleError(error: unknown): Error {
  if (error instanceof pg.DatabaseError && error.code === CONSOLE_ERROR) return error;
  throw error;
}
