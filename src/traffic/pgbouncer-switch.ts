/**
 * The TrafficSwitch over PgBouncers in transaction or statement mode: PAUSE, rewrite the entry, RELOAD, RESUME.
 * PgBouncer knows no lease: see kept-switch.ts.
 */

import { readFile } from 'node:fs/promises';
import { allEnded, DeadlineError, withDeadline } from '../base/async.ts';
import { replaceFile, tryToReplace } from '../base/replace-file.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { epochMoved } from '../domain/epoch-moved.ts';
import { PrerequisiteError, UnprovenError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { type Entry, notedEpoch, pointAll } from './pgbouncer-config.ts';
import { type DatabaseEntry, PgBouncerConsole } from './pgbouncer-console.ts';
import type { Drained, TrafficState, TrafficSwitch } from './traffic-switch.ts';

export interface PgBouncerSwitchOptions {
  readonly bouncers: readonly {
    /** Its console: database `pgbouncer`, a user of admin_users. */
    readonly console: ServerAddress;
    /** pgbouncer.ini, or the file it %includes, with the database's entry. */
    readonly configFile: string;
  }[];
  /** The entry's name under [databases]. */
  readonly database: string;
  readonly servers: Readonly<Record<Side, ServerAddress>>;
  /** Databases that move together with the servers' own; their entries have the databases' names. */
  readonly others?: readonly string[];
}

export function openPgBouncerSwitch(options: PgBouncerSwitchOptions): TrafficSwitch {
  return new PgBouncerSwitch(options);
}

interface PgBouncer {
  readonly console: PgBouncerConsole;
  readonly configFile: string;
  /** The epoch that the file tells of, from prepare() on: whoever else moves traffic writes another. */
  knownEpoch: number | undefined;
}

class PgBouncerSwitch implements TrafficSwitch {
  readonly #bouncers: readonly PgBouncer[];
  readonly #servers: Readonly<Record<Side, ServerAddress>>;
  readonly #entries: readonly Entry[];
  readonly #names: readonly string[];
  #pausedSinceMs: number | undefined;

  constructor(options: PgBouncerSwitchOptions) {
    this.#servers = options.servers;
    this.#bouncers = options.bouncers.map(({ console, configFile }) => ({
      console: new PgBouncerConsole(console),
      configFile,
      knownEpoch: undefined,
    }));
    this.#entries = entriesOf(options);
    this.#names = this.#entries.map(({ name }) => name);
  }

  /** @throws {PrerequisiteError} `pgbouncer_session_pool`, `pgbouncer_database_missing`, `pgbouncer_config_unreadable` */
  async observe(): Promise<TrafficState> {
    const seen = await this.#all(async (bouncer) => ({
      rows: await this.#switchable(bouncer),
      ini: await configOf(bouncer),
    }));
    const rows = seen.flatMap((one) => one.rows);
    const sides = rows.map((row) => this.#sideOf(row));
    const [activeSide] = sides;
    if (activeSide === undefined || sides.some((side) => side !== activeSide)) {
      throw new UnprovenError(
        'proxies_disagree',
        `PgBouncer's ${this.#quoted} is neither clearly the source nor the target`,
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
      description: `pgbouncer ${this.#bouncers.map(({ console }) => console.place).join(', ')}`,
    };
  }

  /** PgBouncer cannot open connections ahead: this only proves that it could be switched. @throws {PrerequisiteError} as observe() */
  async prepare(_to: Side) {
    await this.#all(async (bouncer) => {
      await this.#switchable(bouncer);
      const ini = await configOf(bouncer);
      pointAll(ini, this.#entries, 'source', 0);
      bouncer.knownEpoch = notedEpoch(ini);
      // Behind the commit point requests would wait for whoever mends it.
      await tryToReplace(bouncer.configFile).catch((cause: unknown) => {
        throw unusableFile(`Cannot replace ${bouncer.configFile}`, cause);
      });
    });
    return { ready: 0, obstacles: [], failures: [] };
  }

  async pause({ drainTimeoutMs }: { drainTimeoutMs: number }): Promise<Drained> {
    this.#pausedSinceMs ??= performance.now();
    const pausing = this.#all(({ console }) => this.#ofEach((name) => console.pause(name, drainTimeoutMs)));
    try {
      await withDeadline('PAUSE', drainTimeoutMs, pausing);
      return { drained: true, obstacles: [] };
    } catch (error) {
      if (!(error instanceof DeadlineError)) {
        await this.#letGo();
        throw error;
      }
      pausing.catch(() => undefined);
      const obstacles = await this.#all(({ console }) => console.busyServers(this.#names));
      return { drained: false, obstacles: obstacles.flat() };
    }
  }

  async renew(): Promise<void> {}

  async committing(): Promise<void> {}

  /** @throws {RefusedError} `epoch_moved`: another run moved traffic while this one stood still; it is left where it is */
  async resume(side: Side, epoch: number) {
    // Each by itself: the clients of one must not wait for another that is gone.
    const waiting = await this.#all(async (bouncer) => {
      const seen = await bouncer.console.waiting(this.#names);
      const rows = await bouncer.console.entries(this.#names);
      if (rows.some((row) => this.#sideOf(row) !== side)) await this.#repoint(bouncer, side, epoch);
      await this.#ofEach((name) => bouncer.console.resume(name));
      return seen;
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
  get #quoted(): string {
    return this.#names.map((name) => `"${name}"`).join(', ');
  }

  /** All at once, so that no entry's drain waits for another's. */
  async #ofEach<T>(work: (name: string) => Promise<T>): Promise<T[]> {
    return allEnded(this.#names.map(work));
  }

  async #all<T>(work: (bouncer: PgBouncer) => Promise<T>): Promise<T[]> {
    return allEnded(this.#bouncers.map(work));
  }

  async #letGo(): Promise<void> {
    this.#pausedSinceMs = undefined;
    await Promise.allSettled(
      this.#bouncers.map(({ console }) => this.#ofEach((name) => console.resume(name))),
    );
  }

  /** @throws {PrerequisiteError} `pgbouncer_config_refused`: it is still where it was, and paused */
  async #repoint(bouncer: PgBouncer, side: Side, epoch: number): Promise<void> {
    const { console, configFile, knownEpoch } = bouncer;
    const before = await configOf(bouncer);
    const noted = notedEpoch(before);
    if (noted !== epoch && noted !== (knownEpoch ?? noted))
      throw epochMoved(`Another run has moved PgBouncer's ${this.#quoted} meanwhile`, {
        configFile,
        noted,
        epoch,
      });
    await replaceFile(configFile, pointAll(before, this.#entries, side, epoch));
    // What it cannot read it may leave without a word.
    const refusal = await console.reload();
    const rows = await console.entries(this.#names);
    if (refusal === undefined && rows.every((row) => this.#sideOf(row) === side)) {
      bouncer.knownEpoch = epoch;
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
    const { source, target } = this.#servers;
    const isAt = ({ host, port }: ServerAddress) => entry.host === host && Number(entry.port) === port;
    if (isAt(source)) return 'source';
    return isAt(target) ? 'target' : undefined;
  }

  async #switchable({ console }: PgBouncer): Promise<DatabaseEntry[]> {
    const rows = await console.entries(this.#names);
    const usual = await console.defaultPoolMode();
    const bySession = rows.filter((row) => (row.pool_mode || usual) === 'session');
    if (bySession.length === 0) return rows;
    throw new PrerequisiteError(
      'pgbouncer_session_pool',
      `PgBouncer pools ${bySession.map(({ name }) => `"${name}"`).join(', ')} by session`,
      { hint: 'PAUSE would wait for clients to disconnect. Use pool_mode = transaction, or pgglide proxy.' },
    );
  }
}

function entriesOf({ database, servers, others = [] }: PgBouncerSwitchOptions): Entry[] {
  const { source, target } = servers;
  const other = (name: string): Entry => ({
    name,
    servers: { source: { ...source, database: name }, target: { ...target, database: name } },
  });
  return [{ name: database, servers }, ...others.map(other)];
}

async function configOf({ configFile }: PgBouncer): Promise<string> {
  return await readFile(configFile, 'utf8').catch((cause: unknown) => {
    throw unusableFile(`Cannot read ${configFile}`, cause);
  });
}

const unusableFile = (message: string, cause: unknown): PrerequisiteError =>
  new PrerequisiteError('pgbouncer_config_unreadable', message, {
    hint: 'pgglide must be able to read and replace the file with the database’s entry.',
    cause,
  });
