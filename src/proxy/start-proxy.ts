/** The proxy as a whole: a listener for clients, their sessions, and the control API. */

import net from 'node:net';
import { ClientError, responseFor } from './client-error.ts';
import type { CancelRequest, LoggedInClient } from './client-login.ts';
import { type ClientTls, logInClient } from './client-login.ts';
import { ClientGoneError } from './client-socket.ts';
import { clientTls } from './client-tls.ts';
import { type ControlServer, startControlServer } from './control-server.ts';
import { renderMetrics } from './metrics.ts';
import { DEFAULT_LIMITS, type Direction, type Limits, type ProxyOptions } from './options.ts';
import { RecentStatements } from './recent-statements.ts';
import { Session } from './session.ts';
import { SessionMover } from './session-mover.ts';
import { readStateFile, writeStateFile } from './state-file.ts';
import { CANNOT_TELL, Traffic } from './traffic.ts';
import { UsersFile } from './users-file.ts';

export interface RunningProxy {
  /** The port clients connect to. */
  readonly port: number;
  /** As `openProxySwitch` takes it. */
  readonly controlAddress: string;
  close(): Promise<void>;
}

const CLIENT_KEEP_ALIVE_MS = 60_000;
const CANCEL_TIMEOUT_MS = 5_000;

/** @throws when an address cannot be listened on, or the state file cannot be understood */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const proxy = new ProxyServer(options, await findDirection(options));
  return await proxy.listen();
}

/** The migration row is the truth; the state file is what we knew; `initial` is for the very first start. */
async function findDirection(options: ProxyOptions): Promise<Direction> {
  const known = options.stateFile === undefined ? undefined : readStateFile(options.stateFile);
  const truth = await options.askActiveSide().catch(() => undefined);
  const direction = truth ?? known ?? options.initial;
  if (options.stateFile !== undefined) writeStateFile(options.stateFile, direction);
  return direction;
}

class ProxyServer {
  readonly #options: ProxyOptions;
  readonly #limits: Limits;
  readonly #traffic: Traffic;
  readonly #mover: SessionMover;
  readonly #recent = new Map<string, RecentStatements>();
  readonly #cancelKeys = new Map<string, Session>();
  readonly #sockets = new Set<net.Socket>();
  readonly #server: net.Server;
  readonly #tls: () => ClientTls | undefined;
  readonly #users: UsersFile | undefined;
  #nextId = 1;

  constructor(options: ProxyOptions, direction: Direction) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#tls = options.clientTls === undefined ? () => undefined : clientTls(options.clientTls);
    this.#users = options.usersFile === undefined ? undefined : new UsersFile(options.usersFile);
    this.#mover = new SessionMover({
      servers: options.servers,
      limits: this.#limits,
      immovable: options.immovable ?? 'refuse',
      recentFor: ({ client }) => this.#recentFor(client),
    });
    this.#traffic = new Traffic({
      initial: direction,
      limits: this.#limits,
      mover: this.#mover,
      askActiveSide: options.askActiveSide,
      saveDirection: (changed) => {
        if (options.stateFile !== undefined) writeStateFile(options.stateFile, changed);
      },
    });
    this.#server = net.createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: CLIENT_KEEP_ALIVE_MS,
    });
    this.#server.on('connection', (socket) => void this.#accept(socket));
  }

  async listen(): Promise<RunningProxy> {
    const { listen } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: listen.host, port: listen.port, backlog: 4096 }, () => resolve());
    });
    const { port } = this.#server.address() as net.AddressInfo;
    const name = `${listen.host}:${port}`;
    const control = await startControlServer(this.#options.control, {
      traffic: this.#traffic,
      state: () => this.#traffic.state(name),
      sessions: () => [...this.#traffic.sessions].map((session) => session.summary()),
      metrics: () => renderMetrics(this.#traffic.state(name)),
    });
    return { port, controlAddress: control.address, close: () => this.#close(control) };
  }

  async #close(control: ControlServer): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#traffic.close();
    await control.close();
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, 200).unref();
    await closed;
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
          (await this.#options.lookupVerifier(user, this.#traffic.direction.side)),
      });
      clearTimeout(late);
      current = arrived.socket;
      if (arrived.kind === 'cancel') await this.#cancel(arrived);
      else await this.#serve(arrived);
    } catch (error) {
      if (error instanceof ClientGoneError) socket.destroy();
      else {
        this.#traffic.totals.failedByProxy += 1;
        current.end(responseFor(error));
      }
    } finally {
      clearTimeout(late);
    }
  }

  async #cancel(request: CancelRequest): Promise<void> {
    const session = this.#cancelKeys.get(cancelKey(request.pid, request.secret));
    await session?.server?.cancel(CANCEL_TIMEOUT_MS).catch(() => undefined);
    request.socket.end();
  }

  async #serve(client: LoggedInClient): Promise<void> {
    if (this.#traffic.sessions.size >= this.#limits.maxClients) {
      throw new ClientError({ code: '53300', message: 'sorry, too many clients already' });
    }
    const session = new Session(
      this.#nextId++,
      client,
      { closed: (gone) => this.#gone(gone) },
      this.#recentFor(client),
    );
    this.#traffic.add(session);
    try {
      await this.#connect(session);
    } catch (error) {
      this.#gone(session);
      throw error;
    }
  }

  /** Opens the server connection on the side that is active when it is done, however often that changes meanwhile. */
  async #connect(session: Session): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const hadToWait = this.#traffic.gate.isClosed;
      await this.#traffic.untilOpen();
      if (this.#traffic.isRefusing) throw new ClientError(CANNOT_TELL);
      if (session.isClosed) return;
      const { side } = this.#traffic.direction;
      const server = await this.#mover.connect(session.client, side);
      if (session.isClosed || server.side !== this.#traffic.direction.side) {
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
    let recent = this.#recent.get(key);
    if (recent === undefined) {
      recent = new RecentStatements();
      this.#recent.set(key, recent);
    }
    return recent;
  }
}

const cancelKey = (pid: number, secret: Buffer): string => `${pid} ${secret.toString('hex')}`;
