/** A proxy before a test's two databases, with a role that has the same SCRAM verifier on both. */

import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { otherSide, type Side } from '../../src/domain/names.ts';
import { ident, literal, sql } from '../../src/postgres/sql.ts';
import type { ProxyOptions } from '../../src/proxy/options.ts';
import { type RunningProxy, startProxy } from '../../src/proxy/start-proxy.ts';
import { openProxySwitch } from '../../src/traffic/proxy-switch.ts';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import { cancelRequest } from '../../src/wire/frontend.ts';
import type { Database } from './database.ts';

export interface ProxyBed extends AsyncDisposable {
  readonly proxy: RunningProxy;
  readonly traffic: TrafficSwitch;
  /** A superuser, so that a test may do anything. */
  readonly role: string;
  readonly password: string;
  readonly database: string;
  /** For node-postgres and, with other names, for everyone else. */
  readonly config: pg.ClientConfig;
  /** A folder that goes with the bed. */
  readonly folder: string;
  connect(config?: pg.ClientConfig): Promise<pg.Client>;
  /** prepare, pause, committing, resume on the other side. */
  switchSides(): Promise<Awaited<ReturnType<TrafficSwitch['resume']>>>;
}

let beds = 0;

export async function startProxyBed(
  source: Database,
  target: Database,
  overrides: Partial<ProxyOptions> = {},
): Promise<ProxyBed> {
  const role = `${source.name}_app${beds++}`;
  const password = 'a "secret" of ours';
  const on = { source, target } satisfies Record<Side, Database>;
  await source.connection.script(
    sql`CREATE ROLE ${ident(role)} LOGIN SUPERUSER PASSWORD ${literal(password)}`,
  );
  const { verifier } = await source.connection.one<{ verifier: string }>(
    sql`SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = ${role}`,
  );
  await target.connection.script(
    sql`CREATE ROLE ${ident(role)} LOGIN SUPERUSER PASSWORD ${literal(verifier)}`,
  );
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-proxy-'));
  const removeAll = async () => {
    await rm(folder, { recursive: true, force: true });
    await target.connection.script(sql`DROP OWNED BY ${ident(role)}; DROP ROLE ${ident(role)}`);
  };
  const starting = startProxy({
    listen: { host: '127.0.0.1', port: 0 },
    servers: { source: source.address, target: target.address },
    lookupVerifier: async (user, side) => {
      const rows = await on[side].connection.query<{ verifier: string }>(
        sql`SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = ${user}`,
      );
      return rows[0]?.verifier;
    },
    askActiveSide: async () => undefined,
    control: { unixPath: join(folder, 'control') },
    ...overrides,
  });
  const proxy = await starting.catch(async (error: unknown) => {
    await removeAll();
    throw error;
  });
  const traffic = openProxySwitch([proxy.controlAddress], 'test');
  const config: pg.ClientConfig = {
    host: '127.0.0.1',
    port: proxy.port,
    user: role,
    password,
    database: source.name,
  };
  return {
    proxy,
    traffic,
    role,
    password,
    database: source.name,
    config,
    folder,
    async connect(more = {}) {
      const client = new pg.Client({ ...config, ...more });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    switchSides: () => switchSides(traffic),
    async [Symbol.asyncDispose]() {
      await traffic[Symbol.asyncDispose]();
      await proxy.close();
      await removeAll();
    },
  };
}

export async function switchSides(traffic: TrafficSwitch) {
  const { activeSide, epoch } = await traffic.observe();
  const to = otherSide(activeSide);
  const { failures, obstacles } = await traffic.prepare(to);
  if (failures.length + obstacles.length > 0) throw new Error(JSON.stringify({ failures, obstacles }));
  const paused = await traffic.pause({ reason: 'test', leaseMs: 10_000, drainTimeoutMs: 5_000 });
  if (!paused.drained) throw new Error(JSON.stringify(paused.obstacles));
  await traffic.committing(to, epoch + 1);
  return await traffic.resume(to, epoch + 1);
}

/** As psql does at Ctrl-C. */
export async function cancel(bed: ProxyBed, client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const socket = net.connect(bed.proxy.port, '127.0.0.1');
  socket.write(cancelRequest(processID, secret));
  socket.resume();
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

/** Messages one by one, as no driver sends them. */
export interface RawConnection {
  parse(query: { text: string; name?: string }): void;
  bind(config: { values?: readonly string[]; statement?: string }): void;
  execute(config: object): void;
  close(config: { type: 'S' | 'P'; name: string }): void;
  flush(): void;
  query(text: string): void;
  sync(): void;
  once(event: 'dataRow', listener: (message: { fields: unknown[] }) => void): void;
  once(event: 'readyForQuery' | 'copyInResponse', listener: () => void): void;
}

/** The client's connection for itself: its own queries are over with this. */
export function rawConnection(client: pg.Client): RawConnection {
  const { connection } = client as unknown as {
    connection: RawConnection & { removeAllListeners(event: string): void };
  };
  for (const event of ['parseComplete', 'bindComplete', 'dataRow', 'commandComplete', 'readyForQuery']) {
    connection.removeAllListeners(event);
  }
  return connection;
}

export const ready = (connection: RawConnection): Promise<void> =>
  new Promise((resolve) => connection.once('readyForQuery', () => resolve()));
