/** Our proxy against PgBouncer and a direct connection: throughput, added latency, and a pause of many sessions. */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { sleep, until } from '../src/base/async.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import { startServer } from '../src/embedded/embedded-server.ts';
import { type RunningProxy, startProxy } from '../src/proxy/start-proxy.ts';
import { openProxySwitch } from '../src/traffic/proxy-switch.ts';
import { median } from './median.ts';

export interface ProxyBenchOptions {
  /** Of each way and mode; the medians count. Default 3. */
  readonly rounds?: number;
  /** Of one pgbench run. Default 3. */
  readonly seconds?: number;
  /** In the pause test. Default 1,000. */
  readonly sessions?: number;
}

type Mode = 'simple' | 'extended' | 'prepared';
const MODES: readonly Mode[] = ['simple', 'extended', 'prepared'];
type Way = 'direct' | 'pgbouncer' | 'pgglide';

interface Throughput {
  readonly mode: Mode;
  /** Median transactions a second; undefined where the program is not installed. */
  readonly direct: number;
  readonly pgbouncer: number | undefined;
  readonly pgglide: number;
  /** pgglide / pgbouncer, median of the ratios of the rounds. Goal: at least 0.8. */
  readonly ratio: number | undefined;
}

export interface ProxyBenchResult {
  readonly throughput: readonly Throughput[];
  /** Median latency of one client, in ms. Goal: pgglide - direct <= 0.15. */
  readonly latencyMs: {
    readonly direct: number;
    readonly pgbouncer: number | undefined;
    readonly pgglide: number;
  };
  /** Goal: <= 150 for 1,000 sessions. */
  readonly pause: {
    readonly sessions: number;
    readonly prepareMs: number;
    readonly drainMs: number;
    /** From the resume until every one of the waiting requests was answered. */
    readonly answeredMs: number;
    /** The same requests, all at once, without any pause. */
    readonly burstMs: number;
    /** What the pause added to the slowest: drainMs + answeredMs - burstMs. */
    readonly addedMs: number;
  };
  /** What an idle session costs the proxy's process. Goal: <= 80,000. */
  readonly bytesPerIdleSession: number;
}

const run_ = promisify(execFile);
const ROLE = 'bench';
const PASSWORD = 'bench';

/** Needs pgbench on PATH. Starts its own PostgreSQL 15 and 16, and removes them. */
export async function run({
  rounds = 3,
  seconds = 3,
  sessions = 1_000,
}: ProxyBenchOptions = {}): Promise<ProxyBenchResult> {
  const settings = { shared_buffers: '128MB', fsync: 'off', max_connections: String(sessions + 100) };
  await using source = await startServer({ majorVersion: 15, settings });
  await using target = await startServer({ majorVersion: 16, settings });
  const verifier = await makeRole(source.address(), `'${PASSWORD}'`);
  await makeRole(target.address(), `'${verifier}'`);
  await pgbench(source.port, ['-i', '-q', '-s', '10']);
  await pgbench(target.port, ['-i', '-q', '-s', '10']);
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-bench-'));
  chmodSync(folder, 0o755);
  const proxy = await startProxy({
    listen: { host: '127.0.0.1', port: 0 },
    servers: { source: source.address(), target: target.address() },
    lookupVerifier: async () => verifier,
    askActiveSide: async () => undefined,
    control: { unixPath: join(folder, 'control') },
  });
  const bouncer = await startPgBouncer(folder, source.port);
  try {
    const ports = { direct: source.port, pgbouncer: bouncer?.port, pgglide: proxy.port };
    const throughput = await inTurns(MODES, (mode) => measureThroughput(ports, mode, rounds, seconds));
    const latencyMs = await measureLatency(ports, folder, seconds);
    return { throughput, latencyMs, ...(await measurePause(proxy, sessions)) };
  } finally {
    bouncer?.stop();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Ports = Readonly<Record<Way, number | undefined>>;

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

async function makeRole(address: ServerAddress, password: string): Promise<string> {
  const client = new pg.Client({ ...address, password: address.password ?? '' });
  await client.connect();
  await client.query(`CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD ${password}`);
  const { rows } = await client.query<{ v: string }>(
    `SELECT rolpassword AS v FROM pg_authid WHERE rolname = '${ROLE}'`,
  );
  await client.end();
  return rows[0]?.v ?? '';
}

async function pgbench(port: number, args: readonly string[]): Promise<string> {
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: ROLE,
    PGPASSWORD: PASSWORD,
    PGDATABASE: 'postgres',
    PGSSLMODE: 'disable',
  };
  return (await run_('pgbench', [...args], { env })).stdout;
}

async function tps(port: number, mode: Mode, seconds: number): Promise<number> {
  const output = await pgbench(port, ['-n', '-S', '-M', mode, '-c', '16', '-j', '2', '-T', String(seconds)]);
  return Math.round(Number(/tps = ([\d.]+)/.exec(output)?.[1]));
}

/** All ways take turns, so that what else the machine does meets them alike. */
async function measureThroughput(
  ports: Ports,
  mode: Mode,
  rounds: number,
  seconds: number,
): Promise<Throughput> {
  const found: Record<Way, number[]> = { direct: [], pgbouncer: [], pgglide: [] };
  for (let round = 0; round < rounds; round++) {
    for (const way of ['direct', 'pgbouncer', 'pgglide'] as const) {
      const port = ports[way];
      if (port !== undefined) found[way].push(await tps(port, mode, seconds));
    }
  }
  const ratios = found.pgbouncer.map((other, round) => (found.pgglide[round] ?? 0) / other);
  return {
    mode,
    direct: median(found.direct),
    pgbouncer: ratios.length === 0 ? undefined : median(found.pgbouncer),
    pgglide: median(found.pgglide),
    ratio: ratios.length === 0 ? undefined : Math.round(median(ratios) * 100) / 100,
  };
}

async function measureLatency(
  ports: Ports,
  folder: string,
  seconds: number,
): Promise<ProxyBenchResult['latencyMs']> {
  const latencyOf = async (way: Way) => {
    const prefix = join(folder, way);
    await pgbench(ports[way] ?? 0, [
      '-n',
      '-S',
      '-M',
      'prepared',
      '-c',
      '1',
      '-T',
      String(seconds),
      '-l',
      `--log-prefix=${prefix}`,
    ]);
    const logs = readdirSync(folder).filter((name) => name.startsWith(`${way}.`));
    const microseconds = logs.flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => Number(line.split(' ')[2])),
    );
    return median(microseconds) / 1000;
  };
  return {
    direct: await latencyOf('direct'),
    pgbouncer: ports.pgbouncer === undefined ? undefined : await latencyOf('pgbouncer'),
    pgglide: await latencyOf('pgglide'),
  };
}

/** Many sessions, each with a request on its way when traffic is released on the other side. */
async function measurePause(
  proxy: RunningProxy,
  count: number,
): Promise<Pick<ProxyBenchResult, 'pause' | 'bytesPerIdleSession'>> {
  const driver = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      new URL('proxy-clients.ts', import.meta.url).pathname,
      String(proxy.port),
      String(count),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const said = (word: string) =>
    new Promise<void>((resolve) => {
      const listen = (data: Buffer) => {
        if (!String(data).includes(word)) return;
        driver.stdout.off('data', listen);
        resolve();
      };
      driver.stdout.on('data', listen);
    });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  await said('connected');
  await sleep(1_000);
  const bytesPerIdleSession = Math.max(0, Math.round((process.memoryUsage().rss - before) / count));
  const burst = async () => {
    const answered = said('answered');
    driver.stdin.write('ask\n');
    const at = performance.now();
    await answered;
    return performance.now() - at;
  };
  await burst();
  const burstMs = await burst();
  await using traffic = openProxySwitch([proxy.controlAddress], 'bench');
  const started = performance.now();
  const { failures } = await traffic.prepare('target');
  if (failures.length > 0) throw new Error(failures.join('; '));
  const prepareMs = performance.now() - started;
  const pausing = performance.now();
  const { drained } = await traffic.pause({ reason: 'bench', leaseMs: 60_000, drainTimeoutMs: 10_000 });
  if (!drained) throw new Error('not drained');
  const drainMs = performance.now() - pausing;
  const answered = said('answered');
  // Every session asks something now, as if each had been caught by the pause.
  driver.stdin.write('ask\n');
  await said('asked');
  // Until they have all reached the proxy: it has no other work now.
  await sleep(500);
  const resumed = performance.now();
  const { waits } = await traffic.resume('target', 1);
  await answered;
  const releaseMs = performance.now() - resumed;
  if (waits.sessionsMoved !== count || waits.failedRequests > 0) throw new Error(JSON.stringify(waits));
  driver.stdin.end();
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    pause: {
      sessions: count,
      prepareMs: round(prepareMs),
      drainMs: round(drainMs),
      answeredMs: round(releaseMs),
      burstMs: round(burstMs),
      addedMs: round(drainMs + releaseMs - burstMs),
    },
    bytesPerIdleSession,
  };
}

async function startPgBouncer(
  folder: string,
  serverPort: number,
): Promise<{ port: number; stop(): void } | undefined> {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const port = await freePort();
  writeFileSync(join(folder, 'users.txt'), `"${ROLE}" "${PASSWORD}"\n`, { mode: 0o644 });
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
postgres = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
pool_mode = session
max_client_conn = 2000
default_pool_size = 100
unix_socket_dir =
log_connections = 0
log_disconnections = 0
`,
    { mode: 0o644 },
  );
  const isRoot = process.getuid?.() === 0;
  const child = spawn(
    'pgbouncer',
    ['-q', ...(isRoot ? ['-u', 'nobody'] : []), join(folder, 'pgbouncer.ini')],
    { stdio: 'ignore' },
  );
  await until('PgBouncer', async () => ((await connects(port)) ? true : undefined), { timeoutMs: 10_000 });
  return { port, stop: () => void child.kill('SIGINT') };
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
