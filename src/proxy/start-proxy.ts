/** The proxy as a whole: a listener for clients, their sessions, and the control API. */

import type net from 'node:net';
import { sleep, withDeadline } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { UsageError } from '../domain/errors.ts';
import { ClientError, responseFor } from './client-error.ts';
import type { CancelRequest, LoggedInClient } from './client-login.ts';
import { type ClientTls, logInClient } from './client-login.ts';
import { ClientGoneError, sayGoodbye } from './client-socket.ts';
import { clientTls } from './client-tls.ts';
import { type Controlled, startControlServer } from './control-server.ts';
import { refuseTaken } from './control-socket.ts';
import { listen } from './listen.ts';
import { renderMetrics } from './metrics.ts';
import { openFilesAllowed, RAISE_OPEN_FILES, sessionsWithin } from './open-files.ts';
import {
  type CancelKey,
  DEFAULT_LIMITS,
  type Limits,
  type ProxyOptions,
  type ServingOptions,
} from './options.ts';
import { RecentStatements } from './recent-statements.ts';
import { Session } from './session.ts';
import { SessionMover } from './session-mover.ts';
import { type Known, startingDirection } from './starting-direction.ts';
import {
  isDiskFull,
  type KeptDirection,
  keptFor,
  readStateFile,
  removeStateFile,
  writeStateFile,
} from './state-file.ts';
import { ASK_TRUTH_TIMEOUT_MS, Traffic } from './traffic.ts';
import { UsersFile } from './users-file.ts';

export interface RunningProxy {
  /** The port clients connect to. */
  readonly port: number;
  /** As `openProxySwitch` takes it. */
  readonly controlAddress: string;
  close(): Promise<void>;
}

/** So that clients read why their session ends. */
const LAST_WORDS_MS = 200;
/** Pairs of user and database whose statements are remembered for warming. */
const MAX_REMEMBERED = 1000;
const CANCEL_TIMEOUT_MS = 5_000;

/** @throws {UsageError} `control_taken`; and when an address cannot be listened on, or the state file cannot be understood */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  // Before the other's state file is written.
  if ('unixPath' in options.control) await refuseTaken(options.control.unixPath);
  const serving = await startServing(options);
  const listener = await listen(options.listen, (socket) => serving.accept(socket));
  const control = await startControlServer(options.control, serving.controlled(listener.name));
  return {
    port: listener.port,
    controlAddress: control.address,
    async close() {
      const closed = listener.close();
      await Promise.all([control.close(), serving.close()]);
      await closed;
    },
  };
}

/** A proxy's work without its port: what a worker of several does. */
export interface Serving {
  /** A client that has just connected. */
  accept(socket: net.Socket): void;
  /** False when no session here has this key. */
  cancel(key: CancelKey): Promise<boolean>;
  controlled(listen: string): Controlled;
  close(): Promise<void>;
}

/** @throws when the state file cannot be understood */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { stateFile, servers } = options;
  const names = { source: serverName(servers.source), target: serverName(servers.target) };
  const kept = keptFor(names, stateFile === undefined ? undefined : readStateFile(stateFile));
  if (kept === 'other-servers')
    options.warn?.(`The state file ${stateFile} is of other servers: it says nothing of these.`);
  if (kept === 'blank')
    options.warn?.(`The state file ${stateFile} is empty, as after a power failure: it says nothing.`);
  const serving = new Clients(options, (row) => startingDirection({ row, kept, assumed: options.assume }));
  await serving.start();
  return serving;
}

const serverName = ({ host, port }: ServerAddress): string => `${host}:${port}`;

type Decide = (row: Known['row']) => ReturnType<typeof startingDirection>;

class Clients implements Serving {
  readonly #options: ServingOptions;
  readonly #limits: Limits;
  readonly #traffic: Traffic;
  readonly #mover: SessionMover;
  readonly #recent = new Map<string, RecentStatements>();
  readonly #cancelKeys = new Map<string, Session>();
  readonly #sockets = new Set<net.Socket>();
  readonly #tls: () => ClientTls | undefined;
  readonly #users: UsersFile | undefined;
  readonly #decide: Decide;
  #nextId = 1;
  #hasStarted = false;
  #hasToldFull = false;
  readonly #closing = new AbortController();

  constructor(options: ServingOptions, decide: Decide) {
    this.#options = options;
    this.#decide = decide;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#limits = {
      ...limits,
      maxClients: Math.min(limits.maxClients, sessionsWithin(openFilesAllowed())),
    };
    this.#tls = options.clientTls === undefined ? () => undefined : clientTls(options.clientTls);
    this.#users = options.usersFile === undefined ? undefined : new UsersFile(options.usersFile);
    this.#mover = new SessionMover({
      servers: options.servers,
      limits: this.#limits,
      immovable: options.immovable ?? 'refuse',
      recentFor: ({ client }) => this.#recentFor(client),
    });
    this.#traffic = new Traffic({
      limits: this.#limits,
      mover: this.#mover,
      askActiveSide: options.askActiveSide,
      saveDirection: (kept) => this.#save(kept),
    });
  }

  /** Clients must not wait for a disk that is full: the row is the truth, and no file is better than one that is wrong. */
  #save(kept: KeptDirection): void {
    const { stateFile, warn } = this.#options;
    if (stateFile === undefined) return;
    try {
      writeStateFile(stateFile, { ...kept, server: serverName(this.#options.servers[kept.side]) });
    } catch (error) {
      // Before a commit point there is a way back; a path that is wrong is told at the start, when nobody waits yet.
      const mayThrow = kept.isSwitching || !(this.#hasStarted || isDiskFull(error));
      if (mayThrow) throw stateNotWritten(stateFile, error);
      removeStateFile(stateFile);
      warn?.(`The state file could not be written: ${messageOf(error)}`);
    }
  }

  /** Clients are served from now on, or told why not until it is known where they belong. */
  async start(): Promise<void> {
    const { row, why } = await this.#askRow(0);
    const direction = this.#decide(row);
    if (direction !== undefined) this.#traffic.decided(direction);
    this.#hasStarted = true;
    if (direction !== undefined) {
      void this.#followSettling();
      return;
    }
    this.#options.warn?.(
      `Nobody is served until the target says which side is active. Now it does not: ${why}`,
    );
    void this.#traffic.refuseUntil(async (silentMs) => this.#decide((await this.#askRow(silentMs)).row));
  }

  async #followSettling(): Promise<void> {
    const direction = await this.#options.untilSettled?.(this.#closing.signal);
    if (direction !== undefined) await this.#traffic.settled(direction);
  }

  async #askRow(silentMs: number): Promise<{ readonly row: Known['row']; readonly why: string }> {
    try {
      const asked = this.#options.askActiveSide(silentMs);
      const row = await withDeadline('the migration row', ASK_TRUTH_TIMEOUT_MS, asked);
      return { row: row ?? 'no-migration', why: 'it has no migration, and the state file does not tell' };
    } catch (error) {
      return { row: 'unreadable', why: messageOf(error) };
    }
  }

  controlled(listen: string): Controlled {
    const traffic = this.#traffic;
    return {
      prepare: (request) => traffic.prepare(request),
      pause: (request) => traffic.pause(request),
      renew: (request) => traffic.renew(request),
      committing: (request) => traffic.committing(request),
      resume: (request) => traffic.resume(request),
      state: () => traffic.state(listen),
      identity: async () => this.#options.identity?.(),
      sessions: () => [...traffic.sessions].map((session) => session.summary()),
      metrics: () => renderMetrics(traffic.state(listen)),
    };
  }

  accept(socket: net.Socket): void {
    void this.#accept(socket);
  }

  async cancel({ pid, secret }: CancelKey): Promise<boolean> {
    const session = this.#cancelKeys.get(cancelKey(pid, secret));
    await session?.cancel(CANCEL_TIMEOUT_MS).catch(() => undefined);
    return session !== undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#traffic.close();
    if (this.#sockets.size > 0) await sleep(LAST_WORDS_MS);
    for (const socket of this.#sockets) socket.destroy();
  }

  async #accept(socket: net.Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    const late = setTimeout(() => socket.destroy(), this.#limits.startupTimeoutMs);
    let current: net.Socket = socket;
    try {
      const arrived = await logInClient(socket, {
        tls: this.#tls,
        secretOf: async (user) =>
          this.#users?.secretOf(user) ??
          (await this.#options.lookupVerifier(user, this.#traffic.servingSide())),
        secured: (secured) => {
          current = secured;
        },
      });
      clearTimeout(late);
      current = arrived.socket;
      if (arrived.kind === 'cancel') await this.#cancel(arrived);
      else await this.#serve(arrived);
    } catch (error) {
      if (error instanceof ClientGoneError) socket.destroy();
      else {
        this.#traffic.totals.failedByProxy += 1;
        sayGoodbye(current, responseFor(error));
      }
    } finally {
      clearTimeout(late);
    }
  }

  async #cancel(request: CancelRequest): Promise<void> {
    if (!(await this.cancel(request))) {
      await this.#options.worker?.forwardCancel(request).catch(() => undefined);
    }
    sayGoodbye(request.socket);
  }

  async #serve(client: LoggedInClient): Promise<void> {
    if (this.#traffic.sessions.size >= this.#limits.maxClients) {
      this.#tellFull();
      throw new ClientError({ code: '53300', message: 'sorry, too many clients already' });
    }
    const session = new Session(
      this.#nextId++,
      client,
      {
        closed: (gone) => this.#gone(gone),
        mayLoseServer: (held) => this.#mover.knowsAll(held),
        leftRunning: (server) => this.#traffic.leftRunning(server),
      },
      this.#recentFor(client),
      this.#options.worker?.index,
    );
    this.#traffic.add(session);
    try {
      await this.#connect(session);
    } catch (error) {
      this.#gone(session);
      throw error;
    }
  }

  /** Once: those who are refused come again and again. */
  #tellFull(): void {
    if (this.#hasToldFull) return;
    this.#hasToldFull = true;
    const { maxClients } = this.#limits;
    const isWanted = maxClients === (this.#options.limits?.maxClients ?? DEFAULT_LIMITS.maxClients);
    this.#options.warn?.(
      `Clients are refused: ${maxClients} are there. ${isWanted ? 'proxy.limits.maxClients allows no more.' : `${RAISE_OPEN_FILES}.`}`,
    );
  }

  /** Opens the server connection on the side that is active when it is done, however often that changes meanwhile. */
  async #connect(session: Session): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const hadToWait = this.#traffic.gate.isClosed;
      await this.#traffic.untilOpen();
      const side = this.#traffic.servingSide();
      if (session.isClosed) return;
      const server = await this.#mover.connect(session.client, side);
      if (session.isClosed || server.side !== this.#traffic.direction?.side) {
        server.close();
        continue;
      }
      if (hadToWait) this.#traffic.recordWait(performance.now() - startedMs);
      session.begin(server);
      this.#cancelKeys.set(cancelKey(session.publicPid, session.secret), session);
      this.#traffic.began(session);
      return;
    }
  }

  #gone(session: Session): void {
    this.#traffic.remove(session);
    this.#cancelKeys.delete(cancelKey(session.publicPid, session.secret));
  }

  #recentFor({ user, database }: LoggedInClient): RecentStatements {
    const key = JSON.stringify([user, database]);
    const recent = this.#recent.get(key) ?? new RecentStatements();
    // The last one used is the last one forgotten: clients may come with names of databases that do not exist.
    this.#recent.delete(key);
    this.#recent.set(key, recent);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > MAX_REMEMBERED && oldest !== undefined) this.#recent.delete(oldest);
    return recent;
  }
}

const cancelKey = (pid: number, secret: Buffer): string => `${pid} ${secret.toString('hex')}`;

const stateNotWritten = (stateFile: string, cause: unknown): UsageError =>
  new UsageError('file_not_written', `The state file ${stateFile} was not written: ${messageOf(cause)}`, {
    hint: 'It keeps where traffic points over a restart: name a folder that the proxy may write to (proxy.stateFile).',
    cause,
  });
