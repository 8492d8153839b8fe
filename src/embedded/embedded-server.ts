/** A real PostgreSQL server from an npm package, for demo, lab and tests. Dies with this process. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withDeadline } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import { installedBinaries, runnableBinaries } from './binaries.ts';
import { binariesVersion, configureCluster, initCluster, SERVER_ENVIRONMENT } from './cluster.ts';
import {
  disown,
  type Home,
  persistentHome,
  postmasterOf,
  readRecord,
  removeHome,
  sweepStaleHomes,
  temporaryHome,
  writeRecord,
} from './home.ts';
import { freePort } from './port.ts';
import { killTree } from './process-tree.ts';
import { untilReady } from './readiness.ts';
import { type Account, serverAccount } from './server-account.ts';
import { renderSettings, type Settings } from './settings.ts';
import { Supervisor } from './supervisor.ts';

export interface StartServerOptions {
  /** 13 to 18; 15 and 16 are always installed with pgglide. */
  readonly majorVersion: number;
  /** Kept when the server stops, opened again when it already holds a server. Omitted: a temporary folder that goes with the server. */
  readonly directory?: string;
  /** Added to ours (wal_level = logical, 50 slots, ...). */
  readonly settings?: Settings;
  /** Omitted: a free one. */
  readonly port?: number;
  /** The superuser's name; `postgres` when omitted. */
  readonly superuser?: string;
  /** Omitted: a random one. */
  readonly password?: string;
  /** initdb's --locale. */
  readonly locale?: string;
}

const STOP_TIMEOUT_MS = 30_000;
const PORT_ATTEMPTS = 5;

/**
 * Makes the server if need be, starts it and waits until it takes connections on 127.0.0.1.
 * When the caller is root, the server runs as an unprivileged account.
 *
 * @throws {PrerequisiteError} `embedded_server_missing`, `embedded_server_account_missing`, `embedded_server_port_taken`
 * @throws {RefusedError} `embedded_server_running`, `embedded_server_other_version`
 * @throws {UnexpectedError} `embedded_server_failed` with the end of the server's log
 */
export async function startServer(options: StartServerOptions): Promise<EmbeddedServer> {
  return EmbeddedServer.create(options);
}

export class EmbeddedServer implements AsyncDisposable {
  readonly majorVersion: number;
  /** As "15.18". */
  readonly version: string;
  readonly host = '127.0.0.1';
  readonly user: string;
  readonly password: string;
  readonly #home: Home;
  readonly #binaries: string;
  readonly #account: Account | undefined;
  readonly #settings: Settings;
  #port: number;
  #supervisor: Supervisor | undefined;

  private constructor(parts: ServerParts) {
    this.majorVersion = parts.majorVersion;
    this.version = parts.version;
    this.user = parts.user;
    this.password = parts.password;
    this.#home = parts.home;
    this.#binaries = parts.binaries;
    this.#account = parts.account;
    this.#settings = parts.settings;
    this.#port = parts.port;
  }

  static async create(options: StartServerOptions): Promise<EmbeddedServer> {
    sweepStaleHomes();
    const account = serverAccount();
    const home =
      options.directory === undefined ? temporaryHome(account) : persistentHome(options.directory, account);
    try {
      const server = new EmbeddedServer(await prepare(options, home, account));
      await server.#startOnFreePort(options.port);
      return server;
    } catch (error) {
      if (home.temporary) removeHome(home);
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  get dataDirectory(): string {
    return this.#home.dataDirectory;
  }

  get logPath(): string {
    return this.#home.logPath;
  }

  /** The postmaster's. Undefined while the server is down. */
  get pid(): number | undefined {
    return this.isRunning ? this.#supervisor?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.#supervisor !== undefined && !this.#supervisor.hasEnded;
  }

  address(database = 'postgres'): ServerAddress {
    return {
      host: this.host,
      port: this.port,
      user: this.user,
      password: this.password,
      database,
      sslMode: 'disable',
      connectTimeoutMs: 5_000,
    };
  }

  /** Holds the password: for children's environment and files, not for logs or argv. */
  uri(database = 'postgres'): string {
    const [user, password, name] = [this.user, this.password, database].map(encodeURIComponent);
    return `postgresql://${user}:${password}@${this.host}:${this.port}/${name}?sslmode=disable`;
  }

  /** Starts again what stop() or crash() ended, on the same port. Does nothing while it runs. */
  async start(): Promise<void> {
    if (!this.isRunning) await this.#launch();
  }

  /** `fast` ends sessions and writes a checkpoint, `immediate` leaves the work to crash recovery. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const supervisor = this.#supervisor;
    if (supervisor === undefined) return;
    supervisor.signal(mode === 'fast' ? 'INT' : 'QUIT');
    await withDeadline(`stopping PostgreSQL ${this.version}`, STOP_TIMEOUT_MS, supervisor.ended);
    this.#supervisor = undefined;
  }

  /** SIGKILL for all its processes. */
  async crash(): Promise<void> {
    const supervisor = this.#supervisor;
    if (supervisor === undefined || supervisor.hasEnded) return;
    await killTree(supervisor.pid);
    await supervisor.ended;
    this.#supervisor = undefined;
  }

  /** Lets the server outlive this process; it then runs until someone signals its pid. */
  async leave(): Promise<void> {
    disown(this.#home);
    await this.#supervisor?.leave();
  }

  /** Stops the server and deletes its data. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    removeHome(this.#home);
  }

  /** Stops the server; a temporary one is deleted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#home.temporary) await this.remove();
    else await this.stop();
  }

  async #startOnFreePort(wanted: number | undefined): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#launch();
        return;
      } catch (error) {
        if (wanted !== undefined || attempt === PORT_ATTEMPTS || !isPortTaken(error)) throw error;
        this.#port = await freePort();
      }
    }
  }

  async #launch(): Promise<void> {
    const { dataDirectory, logPath, path, temporary } = this.#home;
    configureCluster(this.#home, this.#account, renderSettings(this.#settings, this.#port));
    const { majorVersion, port, user, password } = this;
    writeRecord(this.#home, { majorVersion, port, user, password });
    const logStart = existsSync(logPath) ? readFileSync(logPath).length : 0;
    const supervisor = await Supervisor.start({
      command: [join(this.#binaries, 'bin', 'postgres'), '-D', dataDirectory],
      logPath,
      cwd: path,
      account: this.#account,
      environment: SERVER_ENVIRONMENT,
      removeOnDeath: temporary ? path : undefined,
    });
    this.#supervisor = supervisor;
    await untilReady(
      supervisor,
      dataDirectory,
      () => readFileSync(logPath, 'utf8').slice(logStart),
      this.#port,
    );
  }
}

interface ServerParts {
  readonly majorVersion: number;
  readonly version: string;
  readonly user: string;
  readonly password: string;
  readonly home: Home;
  readonly binaries: string;
  readonly account: Account | undefined;
  readonly settings: Settings;
  readonly port: number;
}

async function prepare(
  options: StartServerOptions,
  home: Home,
  account: Account | undefined,
): Promise<ServerParts> {
  const binaries = runnableBinaries(installedBinaries(options.majorVersion), account, home.path);
  const version = await binariesVersion(binaries);
  const record = existsSync(join(home.dataDirectory, 'PG_VERSION')) ? readRecord(home) : undefined;
  const settings = options.settings ?? {};
  const parts = { majorVersion: options.majorVersion, version, home, binaries, account, settings };
  if (record !== undefined) {
    refuseUnlessOurs(record.majorVersion, options.majorVersion, home);
    const { user, password, port } = record;
    return { ...parts, user, password, port: options.port ?? port };
  }
  const user = options.superuser ?? 'postgres';
  const password = options.password ?? randomBytes(18).toString('base64url');
  const locale = options.locale ?? (process.platform === 'linux' ? 'C.UTF-8' : 'en_US.UTF-8');
  const durable = !home.temporary && settings.fsync !== 'off';
  await initCluster({ binaries, home, account, user, password, locale, durable });
  return { ...parts, user, password, port: options.port ?? (await freePort()) };
}

function refuseUnlessOurs(found: number, wanted: number, home: Home): void {
  if (found !== wanted) {
    throw new RefusedError(
      'embedded_server_other_version',
      `${home.path} holds a PostgreSQL ${found} server, not ${wanted}`,
      { hint: 'Name another directory, or remove this one.' },
    );
  }
  const pid = postmasterOf(home.dataDirectory);
  if (pid !== undefined) {
    throw new RefusedError('embedded_server_running', `A server (pid ${pid}) already runs in ${home.path}`, {
      hint: 'Stop it first, or name another directory.',
      facts: { pid },
    });
  }
}

const isPortTaken = (error: unknown): boolean =>
  error instanceof PrerequisiteError && error.code === 'embedded_server_port_taken';
