import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, describe, expect, onTestFinished } from 'vitest';
import { until } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { startServer } from './embedded-server.ts';
import { isRunning } from './process-tree.ts';

const isRoot = process.getuid?.() === 0;
const UNKNOWN_BUT_HARMLESS = 65_534;
const FAST = { fsync: 'off', shared_buffers: '16MB' };

/** A folder of the test's own. */
const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a fixture's first parameter destructured.
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    chmodSync(folder, 0o755);
    await use(folder);
    rmSync(folder, { recursive: true, force: true });
  },
});

async function query<Row extends object>(
  address: ServerAddress,
  text: ReturnType<typeof sql>,
): Promise<Row[]> {
  await using connection = await Connection.open(address, { purpose: 'test' });
  return await connection.query<Row>(text);
}

describe('an embedded server', () => {
  test('is ready for a migration, asks for a SCRAM password, and goes without a trace', async () => {
    const server = await startServer({ majorVersion: 15, settings: FAST });
    const [row] = await query<Record<string, string>>(
      server.address(),
      sql`SELECT current_setting('wal_level') AS wal, current_setting('server_version') AS version,
          rolpassword AS verifier FROM pg_authid WHERE rolname = current_user`,
    );
    expect(row).toMatchObject({ wal: 'logical', version: server.version });
    expect(row?.verifier).toMatch(/^SCRAM-SHA-256\$/);
    const wrong = { ...server.address(), password: 'wrong' };
    await expect(query(wrong, sql`SELECT 1`)).rejects.toMatchObject({ code: 'login_failed' });
    const rules = await query<{ method: string }>(
      server.address(),
      sql`SELECT DISTINCT auth_method AS method FROM pg_hba_file_rules`,
    );
    expect(rules).toEqual([{ method: 'scram-sha-256' }]);
    const { pid = 0, dataDirectory } = server;
    await server[Symbol.asyncDispose]();
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(join(dataDirectory, '..'))).toBe(false);
  });

  test('keeps its port and its committed rows over stop, crash and start', async () => {
    await using server = await startServer({ majorVersion: 16, settings: FAST });
    const { port } = server;
    await query(server.address(), sql`CREATE TABLE public.t AS SELECT 1 AS n`);
    await server.stop();
    expect(server.pid).toBeUndefined();
    await server.start();
    await query(server.address(), sql`INSERT INTO public.t VALUES (2)`);
    await server.crash();
    expect(server.isRunning).toBe(false);
    await expect(query(server.address(), sql`SELECT 1`)).rejects.toMatchObject({
      code: 'server_unreachable',
    });
    await server.start();
    expect(server.port).toBe(port);
    expect(await query(server.address(), sql`SELECT n FROM public.t ORDER BY n`)).toEqual([
      { n: 1 },
      { n: 2 },
    ]);
    expect(readFileSync(server.logPath, 'utf8')).toContain('was not properly shut down');
  });

  test('stops at once while sessions are open', async () => {
    await using server = await startServer({ majorVersion: 15, settings: FAST });
    const session = await Connection.open(server.address(), { purpose: 'test' });
    await server.stop();
    expect(server.isRunning).toBe(false);
    await session.close();
  });

  test('in a named directory is opened again with its data, password and port', async ({ folder }) => {
    const directory = join(folder, 'server');
    const options = { majorVersion: 15, directory, settings: FAST };
    const first = await startServer(options);
    await query(first.address(), sql`CREATE TABLE public.t AS SELECT 1 AS n`);
    await expect(startServer(options)).rejects.toMatchObject({ code: 'embedded_server_running' });
    await first.stop();
    await expect(startServer({ ...options, majorVersion: 16 })).rejects.toMatchObject({
      code: 'embedded_server_other_version',
    });
    const second = await startServer(options);
    expect(second.address()).toEqual(first.address());
    expect(await query(second.address(), sql`SELECT n FROM public.t`)).toEqual([{ n: 1 }]);
    expect(statSync(join(directory, 'server.json')).mode & 0o077).toBe(0);
    await second.remove();
    expect(existsSync(directory)).toBe(false);
  });

  test('leaves alone what somebody else keeps in a named directory', async ({ folder }) => {
    const kept = join(folder, 'data', 'kept');
    mkdirSync(join(folder, 'data'));
    writeFileSync(kept, '');
    await expect(startServer({ majorVersion: 15, directory: folder })).rejects.toMatchObject({
      code: 'embedded_server_failed',
      message: expect.stringContaining('exists but is not empty'),
    });
    expect(existsSync(kept)).toBe(true);
  });

  test('says so when the wanted port is taken, and leaves nothing', async ({ folder }) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const start = startServer({ majorVersion: 15, port, settings: FAST, directory: join(folder, 'server') });
    await expect(start).rejects.toMatchObject({ code: 'embedded_server_port_taken', exitCode: 3 });
    expect(existsSync(join(folder, 'server', 'data', 'postmaster.pid'))).toBe(false);
    other.close();
  });

  test('says what is wrong with a setting', async () => {
    const start = startServer({ majorVersion: 15, settings: { ...FAST, no_such_setting: '1' } });
    await expect(start).rejects.toThrow(/no_such_setting/);
  });

  test('of a version that is not installed: an error with what to do', async () => {
    await expect(startServer({ majorVersion: 9 })).rejects.toMatchObject({
      code: 'embedded_server_missing',
      hint: expect.stringContaining('optional'),
    });
  });
});

const PROGRAM = `
import { startServer } from '${new URL('./embedded-server.ts', import.meta.url).href}';
const directory = process.argv[2] || undefined;
const server = await startServer({ majorVersion: 15, directory, settings: { fsync: 'off', shared_buffers: '16MB' } });
if (process.argv[3] === 'leave') await server.leave();
console.log(JSON.stringify({ pid: server.pid, uid: process.getuid(), data: server.dataDirectory, address: server.address() }));
if (process.argv[3] === 'leave') process.exit();
setInterval(() => {}, 1000);
`;

interface Started {
  readonly pid: number;
  readonly uid: number;
  readonly data: string;
  readonly address: ServerAddress;
}

/** A process of its own that starts a server and says where. */
async function startInChild(
  folder: string,
  args: string[],
  account: { uid?: number; gid?: number } = {},
): Promise<{ child: ChildProcess; started: Started }> {
  const program = join(folder, 'program.mts');
  writeFileSync(program, PROGRAM);
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, ...args], {
    ...account,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let complaint = '';
  child.stderr?.on('data', (chunk) => {
    complaint += chunk;
  });
  const [line] = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(complaint))),
  ]);
  return { child, started: JSON.parse(String(line)) };
}

const gone = (pid: number) =>
  until('the end of the server', async () => (isRunning(pid) ? undefined : true), { timeoutMs: 10_000 });

describe('when the process that started a server dies', () => {
  test('by kill -9, the server dies and its temporary folder goes', async ({ folder }) => {
    const { child, started } = await startInChild(folder, ['']);
    expect(isRunning(started.pid)).toBe(true);
    child.kill('SIGKILL');
    await gone(started.pid);
    const home = join(started.data, '..');
    await until('the removal', async () => (existsSync(home) ? undefined : true), { timeoutMs: 10_000 });
  });

  test('a named directory stays, and only its own server dies', async ({ folder }) => {
    await using bystander = await startServer({ majorVersion: 15, settings: FAST });
    const directory = join(folder, 'server');
    const { child, started } = await startInChild(folder, [directory]);
    child.kill('SIGKILL');
    await gone(started.pid);
    expect(bystander.isRunning).toBe(true);
    expect(await query(bystander.address(), sql`SELECT 1 AS n`)).toEqual([{ n: 1 }]);
    await using again = await startServer({ majorVersion: 15, directory, settings: FAST });
    expect(again.address()).toEqual(started.address);
  });

  test('a server that was told to stay can still be stopped', async () => {
    const server = await startServer({ majorVersion: 15, settings: FAST });
    await server.leave();
    await server.remove();
    expect(server.isRunning).toBe(false);
  });

  test('a server that was told to stay stays', async ({ folder }) => {
    const { child, started } = await startInChild(folder, ['', 'leave']);
    if (child.exitCode === null) await once(child, 'exit');
    onTestFinished(async () => {
      process.kill(started.pid, 'SIGQUIT');
      await gone(started.pid);
      rmSync(join(started.data, '..'), { recursive: true, force: true });
    });
    expect(await query(started.address, sql`SELECT 1 AS n`)).toEqual([{ n: 1 }]);
  });
});

describe.runIf(isRoot)('for root', () => {
  test('the server runs as another account', async () => {
    await using server = await startServer({ majorVersion: 15, settings: FAST });
    expect(statSync(server.dataDirectory).uid).not.toBe(0);
    expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
  });

  test('a directory that the account cannot reach works too', async ({ folder }) => {
    const closed = join(folder, 'closed');
    const directory = join(closed, 'server');
    const options = { majorVersion: 15, directory, settings: FAST };
    mkdirSync(closed, { mode: 0o700 });
    const first = await startServer(options);
    await query(first.address(), sql`CREATE TABLE public.t AS SELECT 1 AS n`);
    await first.stop();
    const second = await startServer(options);
    expect(await query(second.address(), sql`SELECT n FROM public.t`)).toEqual([{ n: 1 }]);
    const { dataDirectory } = second;
    await second.remove();
    expect(existsSync(dataDirectory)).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  test('another user starts a server as himself', async ({ folder }) => {
    const account = { uid: UNKNOWN_BUT_HARMLESS, gid: UNKNOWN_BUT_HARMLESS };
    const { child, started } = await startInChild(folder, [''], account);
    expect(started.uid).toBe(UNKNOWN_BUT_HARMLESS);
    expect(await query(started.address, sql`SELECT 1 AS n`)).toEqual([{ n: 1 }]);
    child.kill('SIGTERM');
    await gone(started.pid);
  });
});
