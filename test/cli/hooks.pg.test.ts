/** Hooks at the real command line, through a whole migration there and back. */

import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { packagePath } from '../../src/base/package-root.ts';
import { freePort } from '../../src/embedded/port.ts';
import type { MigrationStatus } from '../../src/observers/status.ts';
import { Bed } from './bed.ts';
import { serverPair } from './server-pair.ts';

const PGGLIDE = `'${process.execPath}' '${packagePath('bin', 'pgglide.js')}'`;

const servers = serverPair();

/** One migration: it is refused a cutover before it makes one. */
let bed: Bed;

beforeAll(async () => {
  bed = await Bed.create({
    ...servers,
    schema: 'CREATE TABLE public.item (id int PRIMARY KEY); INSERT INTO public.item VALUES (1)',
    config: [
      `proxy: { listen: "127.0.0.1:${await freePort()}", control: "unix:nobody.sock" }`,
      'hooks: { dir: ./hooks, timeout: 30s }',
    ],
  });
  await mkdir(join(bed.folder, 'hooks'));
}, 120_000);

afterAll(async () => bed?.[Symbol.asyncDispose]());

async function hook(name: string, body: string, mode = 0o555): Promise<void> {
  const path = join(bed.folder, 'hooks', name);
  await rm(path, { force: true });
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, mode);
}

/** Each time it is run: what it was told. */
async function told(name: string): Promise<readonly Record<string, unknown>[]> {
  const text = await readFile(join(bed.folder, `${name}.told`), 'utf8').catch(() => '');
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const recording = (name: string): Promise<void> =>
  hook(name, `cat >>'${join(bed.folder, name)}.told'; env >>'${join(bed.folder, 'environments')}'`);

async function phaseOf(): Promise<unknown> {
  const { stdout } = await bed.pgglide(['status', '-o', 'json']);
  const { phase, activeSide } = JSON.parse(stdout) as MigrationStatus;
  return { phase, activeSide };
}

const RECORDED = ['on-following', 'before-cutover', 'on-switched', 'on-failure'];

test('each is told of its moment: a failure, the copy, a verification', { timeout: 240_000 }, async () => {
  for (const name of RECORDED) await recording(name);
  await hook('on-validated', `echo seen; ${PGGLIDE} status --quiet; exit 4`);

  expect((await bed.pgglide(['cutover'])).exitCode).toBe(7);
  expect(await told('on-failure')).toMatchObject([
    {
      event: 'on-failure',
      command: 'cutover',
      exitCode: 7,
      activeSide: 'unknown',
      error: { code: 'wrong_phase' },
    },
  ]);
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  expect(await told('on-following')).toMatchObject([
    { event: 'on-following', migration: 'cli', activeSide: 'source' },
  ]);

  const verified = await bed.pgglide(['verify', '-o', 'json']);
  expect(verified.exitCode, verified.stderr).toBe(0);
  expect(verified.stderr).toContain('on-validated: seen\n');
  expect(verified.stderr).toContain('on-validated: cli     FOLLOWING');
  expect(verified.stderr).toContain('warning: hook on-validated ended with exit code 4');
  expect(JSON.parse(verified.stdout)).toMatchObject({ summary: { equal: true } });
});

test('before-cutover refuses, cannot be run, or is stopped: nothing is changed', {
  timeout: 240_000,
}, async () => {
  // Sessions take a moment to go.
  const objects = async () => (await bed.inventory()).filter((line) => !line.includes(': session '));
  const before = await objects();
  const isUntouched = async () => expect(await objects()).toEqual(before);

  await hook('before-cutover', 'echo "the change window is closed" >&2; exit 9');
  const refused = await bed.pgglide(['cutover']);
  expect(refused.exitCode).toBe(7);
  expect(refused.stderr).toContain(
    'error hook_refused: Cutover refused: hook before-cutover ended with exit code 9: the change window is closed',
  );
  await isUntouched();

  await hook('before-cutover', 'exit 0', 0o444);
  const notRunnable = await bed.pgglide(['cutover']);
  expect(notRunnable.exitCode).toBe(7);
  expect(notRunnable.stderr).toContain('error hook_not_runnable: ');
  expect(notRunnable.stderr).toContain('before-cutover is not executable');
  await isUntouched();

  for (const signals of [1, 2]) {
    const mark = join(bed.folder, `begun-${signals}`);
    // It does not heed a request to end.
    await hook('before-cutover', `trap '' TERM; echo $$ >'${mark}'; while :; do sleep 600; done`);
    const cutover = bed.start(['cutover']);
    const pid = await until(
      'the hook',
      async () => Number(await readFile(mark, 'utf8').catch(() => '')) || undefined,
      {
        timeoutMs: 60_000,
      },
    );
    const ended = cutover.kill('SIGINT');
    if (signals === 2) {
      await cutover.says('stopping cleanly');
      await cutover.kill('SIGINT');
    }
    expect((await ended).exitCode).toBe(10);
    await until('the end of the hook', async () => ((await isAlive(pid)) ? undefined : true), {
      timeoutMs: 60_000,
    });
    await isUntouched();
  }
  expect(await phaseOf()).toEqual({ phase: 'following', activeSide: 'source' });
  const events = await bed.pgglide(['events', '-o', 'jsonl']);
  expect(events.exitCode).toBe(0);
  expect(events.stdout).not.toContain('switchover-started');
});

test('each is told of its moment: a switch there and back; none of it is a secret', {
  timeout: 240_000,
}, async () => {
  await recording('before-cutover');
  const failures = await told('on-failure');
  const proxy = bed.start(['proxy']);
  try {
    await proxy.says('listening on');
    // It needs the lock that the command had.
    await hook(
      'on-validated',
      `${PGGLIDE} verify --quiet >/dev/null && touch '${bed.folder}/verified-again'`,
    );
    const switched = await bed.pgglide(['cutover']);
    expect(switched.exitCode, switched.stderr).toBe(0);
    expect(await readFile(join(bed.folder, 'verified-again'), 'utf8')).toBe('');
    expect(await told('before-cutover')).toMatchObject([
      { activeSide: 'source', switchover: { direction: 'cutover', from: 'source', to: 'target' } },
    ]);
    expect((await bed.pgglide(['rollback'])).exitCode).toBe(0);
    expect(await told('before-cutover')).toHaveLength(1);
    expect(await told('on-switched')).toMatchObject([
      { activeSide: 'target', switchover: { direction: 'cutover', waits: { failedRequests: 0 } } },
      { activeSide: 'source', switchover: { direction: 'rollback' } },
    ]);
    expect(await told('on-following')).toHaveLength(1);
    expect(await told('on-failure')).toEqual(failures);
  } finally {
    await proxy.kill('SIGTERM');
  }
  const files = [...RECORDED.map((name) => `${name}.told`), 'environments'];
  for (const file of files) {
    const text = await readFile(join(bed.folder, file), 'utf8');
    for (const secret of bed.secrets) expect(text).not.toContain(secret);
  }
  expect(await readFile(join(bed.folder, 'environments'), 'utf8')).toContain('PGGLIDE_EVENT=on-switched');
});

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /^State:\s+[^ZX]/m.test(status);
}
