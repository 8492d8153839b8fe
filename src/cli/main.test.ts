import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../base/async.ts';
import { packagePath } from '../base/package-root.ts';

/** The real program, as a process. What it says in which case is tested in run.test.ts. */
function pgglide(
  args: readonly string[],
  before: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const [program = '', ...words] = [...before, process.execPath, packagePath('bin', 'pgglide.js'), ...args];
  const child = spawn(program, words, {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: tmpdir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text.stderr += chunk;
  });
  const ended = once(child, 'close').then(([exit]) => ({ exit: exit as number | null, ...text }));
  return { child, ended };
}

/** A server that takes the connection and never answers: the command is surely at work. */
async function pgglideAtWork(...[args, ...more]: Parameters<typeof pgglide>) {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const connected = once(silent, 'connection');
  const conninfo = `host=127.0.0.1 port=${port} connect_timeout=0 sslmode=disable dbname=x`;
  const run = pgglide(['status', '--source', conninfo, '--target', conninfo, ...args], ...more);
  const [socket] = (await connected) as [Socket];
  const sockets = [socket];
  silent.on('connection', (another) => sockets.push(another));
  const hangUp = () => {
    silent.close();
    for (const each of sockets) each.on('error', () => undefined).destroy();
  };
  return { ...run, hangUp };
}

const hasScript = spawnSync('script', ['--version']).status === 0;

/** What follows is run by the shell command as "$@", in a terminal of its own that ends with this process. */
const inTerminal = (command: string): string[] => [
  'sh',
  '-c',
  `exec script -qec "$(printf "'%s' " sh -c "$0" sh "$@")" /dev/null`,
  command,
];

describe.concurrent('the process', { timeout: 30_000 }, () => {
  test('ends with the exit code and leaves stdout to results', async () => {
    const { exit, stdout, stderr } = await pgglide(['chekc']).ended;
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toBe("error unknown_command: unknown command 'chekc'\nhint: Did you mean check?\n");
  });

  test('goes on when a terminal hangs up that it does not write to, as under nohup', async () => {
    const { child, ended, hangUp } = await pgglideAtWork([]);
    for (const signal of ['SIGHUP', 'SIGHUP', 'SIGINT'] as const) child.kill(signal);
    await once(child.stderr, 'data');
    hangUp();
    const { exit, stderr } = await ended;
    expect(exit).toBe(10);
    expect(stderr).toContain('Stopped by SIGINT');
  });

  test.skipIf(!hasScript)('ends its work when its own terminal hangs up', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-hangup-'));
    const file = join(folder, 'exit');
    // The shell outlives the terminal, to note how its command ended.
    const noting = `trap : HUP; "$@"; echo $? >"$NOTED"`;
    const { child, hangUp } = await pgglideAtWork([], inTerminal(noting), { NOTED: file });
    child.kill('SIGKILL');
    hangUp();
    const exit = await until(
      'the end of the command',
      async () => (existsSync(file) ? (await readFile(file, 'utf8')).trim() || undefined : undefined),
      { timeoutMs: 20_000 },
    );
    expect(exit).toBe('10');
    await rm(folder, { recursive: true });
  });

  test('asked twice to stop, it stops at once with exit code 10', async () => {
    const { child, ended, hangUp } = await pgglideAtWork([]);
    child.kill('SIGINT');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ exit: 10, stdout: '' });
    hangUp();
  });

  test('asked once, it ends when the work can be left, as interrupted', async () => {
    const { child, ended, hangUp } = await pgglideAtWork([]);
    child.kill('SIGTERM');
    await once(child.stderr, 'data');
    hangUp();
    const { exit, stderr } = await ended;
    expect(stderr).toContain('error interrupted: Stopped by SIGTERM');
    expect(exit).toBe(10);
  });
});
