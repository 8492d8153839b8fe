/**
 * The proxy in a process of its own, switched every second for minutes, while sessions come and go and large messages
 * pass: nothing fails, every acknowledged write is there exactly once, and memory stays where it is.
 *
 *     node --import tsx test/soak/proxy-soak.ts [--minutes 10] [--every-ms 1000] [--workers 1] [--large-mb 600]
 *
 * Needs psql for the large messages. Starts its own PostgreSQL 15 and 16, and removes them. Exit code 1 when anything was lost.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { sleep, until } from '../../src/base/async.ts';
import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';
import { openProxySwitch } from '../../src/traffic/proxy-switch.ts';
import { switchSides } from '../support/proxy-bed.ts';
import { residentBytes } from '../support/resident-memory.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    workers: { type: 'string', default: '1' },
    'every-ms': { type: 'string', default: '1000' },
    'large-mb': { type: 'string', default: '600' },
  },
});
const SESSIONS = 24;
const REQUESTS_A_SESSION = 40;
const ROLE = 'soak';
const PASSWORD = 'soak';
const BIN = fileURLToPath(new URL('../../bin/pgglide.js', import.meta.url));

const seen = {
  switches: 0,
  sessions: 0,
  requests: 0,
  longestWaitMs: 0,
  peakRssMb: 0,
  failures: [] as string[],
};
const acknowledged: string[] = [];

async function admin(server: EmbeddedServer, text: string): Promise<{ rows: { v: string }[] }> {
  const { host, port, user, password = '', database } = server.address();
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

/** Resident memory of the proxy and its workers. */
const rssMb = (pid: number): number => Math.round(residentBytes(pid) / 2 ** 20);

async function session(port: number, id: number, isOver: () => boolean): Promise<void> {
  for (let life = 0; !isOver(); life++) {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: ROLE,
      password: PASSWORD,
      database: 'postgres',
    });
    client.on('error', (error) => seen.failures.push(`session ${id}: ${error.message}`));
    await client.connect();
    seen.sessions += 1;
    await client.query(`SET application_name = 'soak ${id}'`);
    for (let n = 0; n < REQUESTS_A_SESSION && !isOver(); n++) {
      const key = `${id}/${life}/${n}`;
      if (n % 4 === 0) await client.query('BEGIN');
      await client.query({ name: 'put', text: 'INSERT INTO tally VALUES ($1)', values: [key] });
      if (n % 4 === 0) await client.query('COMMIT');
      if (n % 10 === 0) await client.query("SELECT repeat('x', 100000)");
      acknowledged.push(key);
      seen.requests += 1;
      await sleep(20);
    }
    const { rows } = await client.query<{ v: string }>("SELECT current_setting('application_name') AS v");
    if (rows[0]?.v !== `soak ${id}`)
      seen.failures.push(`session ${id}/${life} lost its setting: "${rows[0]?.v}"`);
    await client.end();
  }
}

/** One value out through the proxy and one in, through psql, whose memory is its own; the proxy's is what is measured. */
async function largeMessages(
  port: number,
  pid: number,
  megabytes: number,
): Promise<{ beforeMb: number; peakMb: number }> {
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: ROLE,
    PGPASSWORD: PASSWORD,
    PGDATABASE: 'postgres',
  };
  const beforeMb = rssMb(pid);
  let peakMb = beforeMb;
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, rssMb(pid));
  }, 50);
  const bytes = megabytes * 1024 * 1024;
  const shell = async (script: string): Promise<string> => {
    const child = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += String(data);
    });
    await new Promise((resolve) => child.on('close', resolve));
    return output.trim();
  };
  try {
    const out = await shell(`psql -X -q -A -t -c "COPY (SELECT repeat('x', ${bytes})) TO STDOUT" | wc -c`);
    if (Number(out) !== bytes + 1) seen.failures.push(`large value out: ${out} bytes`);
    const into = await shell(
      `head -c ${bytes} /dev/zero | tr '\\0' y | psql -X -q -A -t -c 'CREATE TEMP TABLE big (t text)' -c '\\copy big FROM STDIN' -c 'SELECT length(t) FROM big'`,
    );
    if (Number(into) !== bytes) seen.failures.push(`large value in: ${into} bytes`);
  } finally {
    clearInterval(watch);
  }
  return { beforeMb, peakMb };
}

function startProxy(source: EmbeddedServer, target: EmbeddedServer, folder: string): ChildProcess {
  const uri = (server: EmbeddedServer) =>
    `host=${server.host} port=${server.port} user=${server.user} dbname=postgres`;
  const control = `unix:${join(folder, 'control')}`;
  const args = ['proxy', '--listen', '127.0.0.1:0', '--control', control, '--workers', values.workers];
  return spawn(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      PGGLIDE_SOURCE: uri(source),
      PGGLIDE_TARGET: uri(target),
      PGPASSWORD: source.password,
      PGGLIDE_TARGET_PASSWORD: target.password,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function soak(): Promise<void> {
  const settings = { shared_buffers: '128MB', fsync: 'off', max_connections: '200' };
  await using source = await startServer({ majorVersion: 15, settings });
  await using target = await startServer({ majorVersion: 16, settings });
  await admin(source, `CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD '${PASSWORD}'`);
  const { rows } = await admin(source, `SELECT rolpassword AS v FROM pg_authid WHERE rolname = '${ROLE}'`);
  await admin(target, `CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD '${rows[0]?.v}'`);
  for (const server of [source, target]) await admin(server, 'CREATE TABLE tally (k text)');
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-soak-'));
  const proxy = startProxy(source, target, folder);
  const ended = new Promise((resolve) => proxy.on('exit', resolve));
  try {
    await using traffic = openProxySwitch([`unix:${join(folder, 'control')}`], 'soak');
    await until('the proxy', () => traffic.observe().catch(() => undefined), { timeoutMs: 60_000 });
    const port = listeningPort(join(folder, 'control'));
    const pid = proxy.pid as number;
    const overAt = performance.now() + Number(values.minutes) * 60_000;
    const isOver = () => performance.now() > overAt || seen.failures.length > 0;
    const sessions = Promise.all(
      Array.from({ length: SESSIONS }, (_, id) =>
        session(port, id, isOver).catch((error: unknown) => seen.failures.push(`session ${id}: ${error}`)),
      ),
    );
    let report = 0;
    while (!isOver()) {
      const { waits } = await switchSides(traffic);
      seen.switches += 1;
      seen.longestWaitMs = Math.max(seen.longestWaitMs, waits.longestWaitMs);
      seen.peakRssMb = Math.max(seen.peakRssMb, rssMb(pid));
      if (waits.failedRequests > 0) seen.failures.push(`${waits.failedRequests} requests failed in a switch`);
      if (++report % 10 === 0) process.stdout.write(`${JSON.stringify({ ...seen, rssMb: rssMb(pid) })}\n`);
      await sleep(Number(values['every-ms']));
    }
    await sessions;
    await compare([source, target]);
    const large = await largeMessages(port, pid, Number(values['large-mb']));
    process.stdout.write(`${JSON.stringify({ ...seen, rssMb: rssMb(pid), large })}\n`);
    if (seen.failures.length > 0) process.exitCode = 1;
  } finally {
    proxy.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true });
  }
}

/** The state names where clients connect; its port was taken free. */
const listeningPort = (socket: string): number => {
  const state = execFileSync('curl', ['-s', '--unix-socket', socket, 'http://localhost/v1/state'], {
    encoding: 'utf8',
  });
  return Number(/:(\d+)$/.exec((JSON.parse(state) as { listen: string }).listen)?.[1]);
};

/** Nothing is replicated here: what went to either side must add up. */
async function compare(servers: readonly EmbeddedServer[]): Promise<void> {
  const answers = await Promise.all(servers.map((server) => admin(server, 'SELECT k AS v FROM tally')));
  const written = answers.flatMap(({ rows }) => rows.map(({ v }) => v)).sort();
  const promised = acknowledged.toSorted();
  const same = written.length === promised.length && written.every((key, index) => key === promised[index]);
  if (!same) seen.failures.push(`${written.length} writes are there, ${promised.length} were acknowledged`);
}

await soak();
