import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { until } from '../base/async.ts';
import { packagePath } from '../base/package-root.ts';

/** The real program, as a process. What it says in which case is tested in run.test.ts. */
function pgglide(args: readonly string[]) {
  const child = spawn(process.execPath, [packagePath('bin', 'pgglide.js'), ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: tmpdir() },
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
async function pgglideAtWork(args: readonly string[]) {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const connected = once(silent, 'connection');
  const conninfo = `host=127.0.0.1 port=${port} connect_timeout=0 sslmode=disable dbname=x`;
  const run = pgglide(['status', '--source', conninfo, '--target', conninfo, ...args]);
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
    const noted = join(folder, 'exit');
    const nowhere = 'host=127.0.0.1 port=1 sslmode=disable dbname=x';
    const dashboard = ['dashboard', '--listen', '127.0.0.1:0', '--source', nowhere, '--target', nowhere];
    const words = [process.execPath, packagePath('bin', 'pgglide.js'), ...dashboard].map(
      (word) => `'${word}'`,
    );
    // The terminal's first process ends with it, as a login shell does, which hangs up all others; the inner one notes how its command ended.
    const command = `sh -c 'trap : HUP; "$@"; echo $? >"$0"' '${noted}' ${words.join(' ')}; exit`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(terminal.stdout, 'data');
    terminal.kill('SIGKILL');
    const exit = await until(
      'the end of the command',
      async () => (existsSync(noted) ? (await readFile(noted, 'utf8')).trim() || undefined : undefined),
      { timeoutMs: 20_000 },
    );
    expect(exit).toBe('0');
    await rm(folder, { recursive: true });
  });

  test.skipIf(!existsSync('/dev/full'))('a result that cannot be written is a failure', async () => {
    const full = openSync('/dev/full', 'w');
    const program = [packagePath('bin', 'pgglide.js'), 'version'];
    const child = spawn(process.execPath, program, { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    const [[said], [exit]] = await Promise.all([once(child.stderr as Readable, 'data'), once(child, 'exit')]);
    expect(exit).toBe(2);
    expect(String(said)).toContain('error file_not_written');
  });

  test('asked twice to stop, it stops at once with exit code 10', async () => {
    const { child, ended, hangUp } = await pgglideAtWork([]);
    child.kill('SIGINT');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ exit: 10, stdout: '' });
    hangUp();
  });

  test('asked once, when it is stopping for another reason already, it does not stop at once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-stopping-'));
    const [begun, go] = [join(folder, 'begun'), join(folder, 'go')];
    const command = `echo > ${begun}; until [ -e ${go} ]; do sleep 0.05; done; echo p`;
    const servers = ['--source', 'host=127.0.0.1 dbname=x', '--target', 'host=127.0.0.1 dbname=x'];
    const slow = ['--set', `source.passwordFrom.command=${command}`, '--timeout', '1ms'];
    const { child, ended } = pgglide(['status', ...servers, ...slow]);
    await until('the work', async () => existsSync(begun) || undefined, { timeoutMs: 20_000 });
    child.kill('SIGINT');
    await Promise.race([once(child.stderr, 'data'), ended]);
    await writeFile(go, '');
    const { exit, stderr } = await ended;
    expect(stderr).toContain('error timed_out: Stopped after 1ms');
    expect(exit).toBe(10);
    await rm(folder, { recursive: true });
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
