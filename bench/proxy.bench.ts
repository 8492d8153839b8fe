/** Our proxy against PgBouncer and a direct connection: throughput, added latency, idle sessions, and a pause of many. */

import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { sleep } from '../src/base/async.ts';
import { rounded } from '../src/base/rounded.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import { startServer } from '../src/embedded/embedded-server.ts';
import { openProxySwitch } from '../src/traffic/proxy-switch.ts';
import { hasPgBouncer, startPgBouncer } from '../test/support/pgbouncer.ts';
import { startIdleServer } from './idle-server.ts';
import { median } from './median.ts';
import { type ProxyChild, startProxyChild } from './proxy-child.ts';

export interface ProxyBenchOptions {
  /** Of each way and mode; the medians count. Default 3. */
  readonly rounds?: number;
  /** Of one pgbench run. Default 2. */
  readonly seconds?: number;
  /** In the pause test. Default 1,000. */
  readonly sessions?: number;
  /** Default 5,000. */
  readonly idleSessions?: number;
}

type Mode = 'simple' | 'extended' | 'prepared';
const MODES: readonly Mode[] = ['simple', 'extended', 'prepared'];
/** `workers`: pgglide with two processes. */
const WAYS = ['direct', 'pgbouncer', 'pgglide', 'workers'] as const;
type Way = (typeof WAYS)[number];

interface Throughput {
  readonly mode: Mode;
  /** Median transactions a second; undefined where the program is not installed. */
  readonly tps: Readonly<Record<Way, number | undefined>>;
  /** pgglide / pgbouncer, one process, median of the ratios of the rounds. Goal: at least 0.8. */
  readonly ratio: number | undefined;
  readonly ratioOfWorkers: number | undefined;
}

export interface ProxyBenchResult {
  readonly throughput: readonly Throughput[];
  /** Median latency of one client, in ms. */
  readonly latencyMs: {
    readonly direct: number;
    readonly pgbouncer: number | undefined;
    readonly pgglide: number;
    /** pgglide - direct. Goal: <= 0.15. */
    readonly added: number;
  };
  /** The proxy's process with that many sessions that asked once. Goal: <= 400 MB. */
  readonly idle: { readonly sessions: number; readonly rssMb: number; readonly rssMbBefore: number };
  readonly pause: {
    readonly sessions: number;
    readonly prepareMs: number;
    readonly drainMs: number;
    /** From the resume until every one of the waiting requests was answered. */
    readonly answeredMs: number;
    /** The same requests, all at once, without any pause. */
    readonly burstMs: number;
    /** What the pause added to the slowest: drainMs + answeredMs - burstMs. Goal: <= 150. */
    readonly addedMs: number;
  };
}

const run_ = promisify(execFile);
const ROLE = 'bench';
const PASSWORD = 'bench';

/** Needs pgbench on PATH. Starts its own PostgreSQL 15 and 16, and removes them. About three minutes. */
export async function run(options: ProxyBenchOptions = {}): Promise<ProxyBenchResult> {
  const { rounds = 3, seconds = 2, sessions = 1_000, idleSessions = 5_000 } = options;
  const settings = { shared_buffers: '128MB', fsync: 'off', max_connections: String(sessions + 100) };
  await using source = await startServer({ majorVersion: 15, settings });
  await using target = await startServer({ majorVersion: 16, settings });
  const verifier = await makeRole(source.address(), `'${PASSWORD}'`);
  await makeRole(target.address(), `'${verifier}'`);
  await pgbench(source.port, ['-i', '-q', '-s', '10']);
  await pgbench(target.port, ['-i', '-q', '-s', '10']);
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-bench-'));
  chmodSync(folder, 0o755);
  const addresses = { source: source.address(), target: target.address() };
  const bouncer = hasPgBouncer
    ? await startPgBouncer({
        folder,
        databases: [`postgres = host=127.0.0.1 port=${source.port}`],
        users: { [ROLE]: PASSWORD },
        settings: ['pool_mode = session', 'max_client_conn = 2000', 'default_pool_size = 100', ...QUIET],
      })
    : undefined;
  try {
    await using proxy = await startProxyChild({ folder, name: 'one', ...addresses });
    const measured = await (async () => {
      await using workers = await startProxyChild({ folder, name: 'two', workers: 2, ...addresses });
      const ports = {
        direct: source.port,
        pgbouncer: bouncer?.port,
        pgglide: proxy.port,
        workers: workers.port,
      };
      const throughput = await inTurns(MODES, (mode) => measureThroughput(ports, mode, rounds, seconds));
      return { throughput, latencyMs: await measureLatency(ports, folder, seconds) };
    })();
    const pause = await measurePause(proxy, sessions);
    return { ...measured, idle: await measureIdle(folder, addresses, verifier, idleSessions), pause };
  } finally {
    await bouncer?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const QUIET = ['log_connections = 0', 'log_disconnections = 0'];

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
  const found: Record<Way, number[]> = { direct: [], pgbouncer: [], pgglide: [], workers: [] };
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      const port = ports[way];
      if (port !== undefined) found[way].push(await tps(port, mode, seconds));
    }
  }
  const medianOf = (values: readonly number[]) => (values.length === 0 ? undefined : median(values));
  const ratioOf = (way: Way) => {
    const ratio = medianOf(found.pgbouncer.map((other, round) => (found[way][round] ?? 0) / other));
    return ratio === undefined ? undefined : rounded(ratio);
  };
  return {
    mode,
    tps: {
      direct: medianOf(found.direct),
      pgbouncer: medianOf(found.pgbouncer),
      pgglide: medianOf(found.pgglide),
      workers: medianOf(found.workers),
    },
    ratio: ratioOf('pgglide'),
    ratioOfWorkers: ratioOf('workers'),
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
  const direct = await latencyOf('direct');
  const pgbouncer = ports.pgbouncer === undefined ? undefined : await latencyOf('pgbouncer');
  const pgglide = await latencyOf('pgglide');
  return { direct, pgbouncer, pgglide, added: Math.round((pgglide - direct) * 1000) / 1000 };
}

interface Clients extends AsyncDisposable {
  /** Resolves when the process says so. */
  said(word: string): Promise<void>;
  /** Every session asks once, now. */
  ask(): void;
}

function startClients(port: number, count: number): Clients {
  const script = new URL('proxy-clients.ts', import.meta.url).pathname;
  const args = ['--import', 'tsx', script, String(port), String(count)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    said: (word) =>
      new Promise<void>((resolve) => {
        const listen = (data: Buffer) => {
          if (!String(data).includes(word)) return;
          child.stdout.off('data', listen);
          resolve();
        };
        child.stdout.on('data', listen);
      }),
    ask: () => void child.stdin.write('ask\n'),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

async function measureIdle(
  folder: string,
  { source, target }: Readonly<Record<'source' | 'target', ServerAddress>>,
  verifier: string,
  sessions: number,
): Promise<ProxyBenchResult['idle']> {
  await using server = await startIdleServer();
  const usersFile = join(folder, 'users');
  writeFileSync(usersFile, `"${ROLE}" "${verifier}"\n`, { mode: 0o600 });
  const upstream = { ...source, port: server.port };
  await using proxy = await startProxyChild({ folder, name: 'idle', source: upstream, target, usersFile });
  const before = proxy.rssBytes();
  await using clients = startClients(proxy.port, sessions);
  await clients.said('connected');
  await sleep(1_000);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  return { sessions, rssMb: megabytes(proxy.rssBytes()), rssMbBefore: megabytes(before) };
}

/** Many sessions, each with a request on its way when traffic is released on the other side. */
async function measurePause(proxy: ProxyChild, count: number): Promise<ProxyBenchResult['pause']> {
  await using clients = startClients(proxy.port, count);
  const { said } = clients;
  await said('connected');
  const burst = async () => {
    const answered = said('answered');
    clients.ask();
    const at = performance.now();
    await answered;
    return performance.now() - at;
  };
  await burst();
  const burstMs = await burst();
  await using traffic = openProxySwitch([proxy.control], 'bench');
  const started = performance.now();
  const { failures } = await traffic.prepare('target');
  if (failures.length > 0) throw new Error(failures.join('; '));
  const prepareMs = performance.now() - started;
  const pausing = performance.now();
  const { drained } = await traffic.pause({ reason: 'bench', leaseMs: 60_000, drainTimeoutMs: 10_000 });
  if (!drained) throw new Error('not drained');
  const drainMs = performance.now() - pausing;
  const answered = said('answered');
  const asked = said('asked');
  // Every session asks something now, as if each had been caught by the pause.
  clients.ask();
  await asked;
  // Until they have all reached the proxy: it has no other work now.
  await sleep(500);
  const resumed = performance.now();
  const { waits } = await traffic.resume('target', 1);
  await answered;
  const releaseMs = performance.now() - resumed;
  if (waits.sessionsMoved !== count || waits.failedRequests > 0) throw new Error(JSON.stringify(waits));
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    sessions: count,
    prepareMs: round(prepareMs),
    drainMs: round(drainMs),
    answeredMs: round(releaseMs),
    burstMs: round(burstMs),
    addedMs: round(drainMs + releaseMs - burstMs),
  };
}
