/** The proxy with its two questions answered by connections of ours: whose verifier, and which side is active. */

import type { ServerAddress } from '../config/server-address.ts';
import { UsageError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { settleFences } from '../migration/settle.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import type { ControlListen, Direction, ProxyOptions } from '../proxy/options.ts';
import { type RunningProxy, startProxy } from '../proxy/start-proxy.ts';

export interface RunProxyOptions
  extends Pick<ProxyOptions, 'clientTls' | 'usersFile' | 'immovable' | 'limits'> {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** `unix:PATH`, `http://HOST:PORT`, or `https://HOST:PORT`, which needs `tokenFile` and `clientTls`. */
  readonly control: string;
  readonly tokenFile?: string | undefined;
  readonly workers?: number;
  readonly stateFile?: string | undefined;
  readonly signal: AbortSignal;
  /** Called once clients can connect. */
  readonly onReady?: (proxy: RunningProxy) => void;
}

/** Serves until the signal is aborted. @throws {UsageError} `bad_address`, `control_unguarded`, and what startProxy throws */
export async function runProxy(options: RunProxyOptions): Promise<void> {
  if ((options.workers ?? 1) > 1) {
    throw new UsageError('workers_unsupported', 'The proxy runs in one process', {
      hint: 'Start several proxies on addresses of their own and name them all in traffic.proxies.',
    });
  }
  const servers = { source: options.source, target: options.target };
  await using asked = new AskedServers(servers);
  const proxy = await startProxy({
    listen: hostAndPort(options.listen),
    servers,
    initial: { side: 'source', epoch: 0 },
    lookupVerifier: (user, side) => asked.verifierOf(user, side),
    askActiveSide: () => asked.activeSide(),
    control: controlListen(options),
    stateFile: options.stateFile,
    clientTls: options.clientTls,
    usersFile: options.usersFile,
    immovable: options.immovable,
    limits: options.limits,
  });
  asked.isServing = true;
  try {
    options.onReady?.(proxy);
    await new Promise<void>((resolve) => {
      if (options.signal.aborted) resolve();
      else options.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await proxy.close();
  }
}

function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) {
    throw new UsageError('bad_address', `Not an address: ${text}`, {
      hint: 'Write HOST:PORT, or [IPV6]:PORT.',
    });
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port: Number(match[3]) };
}

function controlListen({ control, tokenFile, clientTls }: RunProxyOptions): ControlListen {
  if (control.startsWith('unix:')) return { unixPath: control.slice('unix:'.length) };
  const [, scheme, rest] = /^(https?):\/\/([^/]+)\/?$/.exec(control) ?? [];
  if (rest === undefined) {
    throw new UsageError('bad_address', `Not a control address: ${control}`, {
      hint: 'Write unix:PATH, http://HOST:PORT or https://HOST:PORT.',
    });
  }
  if (scheme === 'http') return hostAndPort(rest);
  if (tokenFile === undefined || clientTls === undefined) {
    throw new UsageError('control_unguarded', `${control} needs a token and a certificate`, {
      hint: 'Set proxy.tokenFile, proxy.tls.cert and proxy.tls.key.',
    });
  }
  return { ...hostAndPort(rest), guard: { tokenFile, tls: clientTls } };
}

/** A role's password may be changed at any time: not longer than this until the proxy knows. */
const VERIFIER_CACHE_MS = 2_000;
const MAX_CACHED = 10_000;
/** A tool that is alive undoes or finishes a switchover in less; after its lease and this its sessions are ended. */
const SILENT_RUNNER_MS = 5_000;

/** Keeps one connection to each side, and opens it again when it is lost. */
class AskedServers implements AsyncDisposable {
  /** False while the proxy starts: then it takes the row's word as it is, also in the middle of a switchover. */
  isServing = false;
  readonly #servers: Readonly<Record<Side, ServerAddress>>;
  #unsettledSinceMs: number | undefined;
  readonly #connections = new Map<Side, Promise<Connection>>();
  readonly #verifiers = new Map<string, { readonly text: string | undefined; readonly untilMs: number }>();

  constructor(servers: Readonly<Record<Side, ServerAddress>>) {
    this.#servers = servers;
  }

  async verifierOf(user: string, side: Side): Promise<string | undefined> {
    const key = `${side} ${user}`;
    const known = this.#verifiers.get(key);
    if (known !== undefined && known.untilMs > performance.now()) return known.text;
    const connection = await this.#connection(side);
    const [row] = await connection.query<{ text: string | null }>(
      sql`SELECT rolpassword AS text FROM pg_catalog.pg_authid
          WHERE rolname = ${user} AND rolcanlogin AND (rolvaliduntil IS NULL OR rolvaliduntil > now())`,
    );
    const text = row?.text ?? undefined;
    if (this.#verifiers.size >= MAX_CACHED) this.#verifiers.clear();
    this.#verifiers.set(key, { text, untilMs: performance.now() + VERIFIER_CACHE_MS });
    return text;
  }

  /**
   * What the migration row on the target says, once the side it names takes writes: where a tool died in a switchover
   * that is seen to first. Undefined when there is no row, no way to read it, or a switchover still under way.
   */
  async activeSide(): Promise<Direction | undefined> {
    try {
      const { name } = (await this.#row()) ?? {};
      if (name === undefined) return undefined;
      return (await this.#settle(name)) || !this.isServing ? await this.#row() : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connections = await Promise.allSettled(this.#connections.values());
    for (const opened of connections) if (opened.status === 'fulfilled') await opened.value.close();
  }

  /** Asked again and again once a lease has ended. */
  async #settle(migration: string): Promise<boolean> {
    const now = performance.now();
    this.#unsettledSinceMs ??= now;
    const endRunner = this.isServing && now - this.#unsettledSinceMs > SILENT_RUNNER_MS;
    const open = (side: Side) => this.#open(side);
    const isSettled = await settleFences({ migration, open, endRunner }).catch(() => false);
    if (isSettled) this.#unsettledSinceMs = undefined;
    return isSettled;
  }

  async #row(): Promise<(Direction & { readonly name: string }) | undefined> {
    const connection = await this.#connection('target');
    const [row] = await connection.query<{ name: string; side: Side; epoch: number }>(
      sql`SELECT name, active_side AS side, epoch FROM pgglide.migration ORDER BY created_at DESC LIMIT 1`,
    );
    return row === undefined ? undefined : { ...row, epoch: Number(row.epoch) };
  }

  #open(side: Side): Promise<Connection> {
    return Connection.open(this.#servers[side], { purpose: 'proxy' });
  }

  async #connection(side: Side): Promise<Connection> {
    const existing = this.#connections.get(side);
    if (existing !== undefined) {
      const connection = await existing.catch(() => undefined);
      if (connection !== undefined && connection.lost === undefined) return connection;
      // Someone else may have replaced it while we waited.
      const now = this.#connections.get(side);
      if (now !== undefined && now !== existing) return await now;
    }
    const opening = this.#open(side);
    this.#connections.set(side, opening);
    return await opening;
  }
}
