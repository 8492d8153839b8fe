import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from './async.ts';
import { type ProgramOptions, runProgram } from './run-program.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-program-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** More than any pipe takes, so that a program that does not read it is noticed. */
const MUCH = 'x'.repeat(1 << 20);
const LONG_MS = 60_000;

async function program(body: string): Promise<string> {
  const path = join(folder, 'program');
  await writeFile(path, `#!/bin/sh\ncd '${folder}'\n${body}\n`);
  await chmod(path, 0o700);
  return path;
}

async function run(body: string, options: Partial<ProgramOptions> = {}) {
  const said: string[] = [];
  const onOutput = (chunk: Buffer) => void said.push(chunk.toString());
  const defaults = { env: process.env, timeoutMs: LONG_MS, onOutput };
  const end = await runProgram(await program(body), { ...defaults, ...options });
  return { ...end, said: said.join('') };
}

const pidIn = (name: string) =>
  until(name, async () => Number(await readFile(join(folder, name), 'utf8').catch(() => '')) || undefined, {
    timeoutMs: LONG_MS,
  });

/** A process that has ended and was not waited for yet does nothing any more either. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /^State:\s+[^ZX]/m.test(status);
}

const isGone = (pid: number) =>
  until(`the end of ${pid}`, async () => ((await isAlive(pid)) ? undefined : true), { timeoutMs: LONG_MS });

describe('a program', () => {
  test('gets arguments, environment and input; its exit code and both streams come back', async () => {
    const path = await program('echo "$1 $WORD"; cat; echo bad >&2; exit 7');
    const said = { stdout: '', stderr: '' };
    const end = await runProgram(path, {
      args: ['one two'],
      env: { ...process.env, WORD: 'three' },
      input: '{}',
      timeoutMs: LONG_MS,
      onOutput: (chunk, stream) => {
        said[stream] += chunk.toString();
      },
    });
    expect(end).toEqual({
      exitCode: 7,
      endedBySignal: undefined,
      notStarted: undefined,
      endedFor: undefined,
    });
    expect(said).toEqual({ stdout: 'one two three\n{}', stderr: 'bad\n' });
  });

  test('need not read its input', async () => {
    expect(await run('exit 0', { input: MUCH })).toMatchObject({ exitCode: 0 });
    expect(await run('exec <&-; echo closed', { input: MUCH })).toMatchObject({
      exitCode: 0,
      said: 'closed\n',
    });
  });

  test('that is not there, or is no program, is told', async () => {
    const options = { env: {}, timeoutMs: LONG_MS, onOutput: () => undefined };
    expect(await runProgram(join(folder, 'none'), options)).toMatchObject({ notStarted: 'ENOENT' });
    expect(await runProgram(folder, options)).toMatchObject({ notStarted: 'EACCES' });
  });

  test('is ended at the limit with all that it has started', async () => {
    const body = 'sleep 600 & echo $! >child; wait';
    const end = await run(body, { timeoutMs: 1500, asGroup: true });
    expect(end).toMatchObject({ exitCode: undefined, endedBySignal: 'SIGTERM', endedFor: 'time' });
    await isGone(await pidIn('child'));
  });

  test('is ended with what ignores the request to end and has let go of its output', async () => {
    const body = `sh -c 'trap "" TERM; echo $$ >child; exec sleep 600' >/dev/null 2>&1 & exec sleep 600`;
    const stop = new AbortController();
    const running = run(body, { asGroup: true, signal: stop.signal });
    const child = await pidIn('child');
    stop.abort();
    expect(await running).toMatchObject({ endedBySignal: 'SIGTERM', endedFor: 'stop' });
    await isGone(child);
  });

  test.each([false, true])('is not of the group that a terminal’s Ctrl-C ends (%s)', async (asGroup) => {
    const { said } = await run('echo $$; cut -d " " -f 5 /proc/$$/stat', { asGroup });
    const [pid, group] = said.trim().split('\n');
    expect(group).toBe(pid);
  });

  test('that ignores the request to end is killed', async () => {
    const body = "trap '' TERM; echo $$ >self; while :; do sleep 600; done";
    const stop = new AbortController();
    const running = run(body, { asGroup: true, signal: stop.signal });
    const pid = await pidIn('self');
    stop.abort();
    expect(await running).toMatchObject({ endedBySignal: 'SIGKILL', endedFor: 'stop' });
    await isGone(pid);
  });

  test('may tidy up when it is asked to stop', async () => {
    const stop = new AbortController();
    const body = "trap 'echo bye; exit 5' TERM; echo $$ >self; while :; do sleep 0.01; done";
    const running = run(body, { asGroup: true, signal: stop.signal });
    await pidIn('self');
    stop.abort();
    expect(await running).toMatchObject({
      exitCode: 5,
      said: expect.stringMatching(/bye\n$/),
      endedFor: 'stop',
    });
  });

  test('without a group is killed alone: what it left running for later stays', async () => {
    const body = '(exec >/dev/null 2>&1; sleep 600) & echo $! >child; exec sleep 600';
    expect(await run(body, { timeoutMs: 1500 })).toMatchObject({
      endedBySignal: 'SIGKILL',
      endedFor: 'time',
    });
    const child = await pidIn('child');
    expect(await isAlive(child)).toBe(true);
    process.kill(child, 'SIGKILL');
  });
});
