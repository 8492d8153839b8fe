/** `cutover --at` and `--auto` at the real command line: what they wait for, and that nothing is done before. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/embedded/port.ts';
import type { SwitchResult } from '../../src/migration/switch.ts';
import type { MigrationStatus } from '../../src/observers/status.ts';
import { Bed } from './bed.ts';
import { serverPair } from './server-pair.ts';

const servers = serverPair();

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.create({
    ...servers,
    schema: 'CREATE TABLE public.item (id int PRIMARY KEY); INSERT INTO public.item VALUES (1)',
    config: [`proxy: { listen: "127.0.0.1:${await freePort()}", control: "unix:nobody.sock" }`],
  });
}, 120_000);

afterAll(async () => bed?.[Symbol.asyncDispose]());

async function statusOf(): Promise<MigrationStatus> {
  const { exitCode, stdout, stderr } = await bed.pgglide(['status', '-o', 'json']);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as MigrationStatus;
}

test('called off while it waits, nothing is done', async () => {
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  const cutover = bed.start(['cutover', '--at', '2999-01-01T00:00Z']);
  await cutover.says('Cutover at 2999-01-01T00:00:00Z; nothing is done before');
  expect((await cutover.kill('SIGINT')).exitCode).toBe(10);
  expect(await statusOf()).toMatchObject({
    phase: 'following',
    activeSide: 'source',
    problems: [expect.stringContaining('nobody.sock')],
  });
});

test('waits for the proxy and a verification and then switches; with a moment not before that', async () => {
  const startedMs = performance.now();
  await statusOf();
  // Later than the command is there, however busy the machine.
  const laterMs = 2_000 + 4 * (performance.now() - startedMs);
  const atMs = Math.ceil(Date.now() + laterMs);
  const cutover = bed.start(['cutover', '--auto', '--at', new Date(atMs).toISOString(), '-o', 'json']);
  await cutover.says('Missing as of now: not verified; the traffic switch does not answer.');
  await cutover.says('Cutover waits: not verified; the traffic switch does not answer');
  const proxy = bed.start(['proxy']);
  try {
    await proxy.says('listening on');
    await cutover.says('Cutover waits: not verified\n');
    expect(await statusOf()).toMatchObject({ phase: 'following', activeSide: 'source' });
    expect((await bed.pgglide(['verify'])).exitCode).toBe(0);
    const { exitCode, stdout, stderr } = await cutover.ended;
    expect(exitCode, stderr).toBe(0);
    const { summary } = JSON.parse(stdout) as SwitchResult;
    expect(Date.parse(summary.pausedAt ?? '')).toBeGreaterThanOrEqual(atMs);
    expect(await statusOf()).toMatchObject({ phase: 'switched', activeSide: 'target' });
    expect((await bed.pgglide(['complete', '--yes', '--drop-fence'])).exitCode).toBe(0);
  } finally {
    await proxy.kill('SIGTERM');
  }
});

test('what waiting does not change is said at once', async () => {
  const past = await bed.pgglide(['cutover', '--at', '2020-01-01T00:00Z']);
  expect(past.exitCode).toBe(2);
  expect(past.stderr).toContain('has passed');
  const completed = await bed.pgglide(['cutover', '--auto']);
  expect(completed.exitCode, completed.stderr).toBe(7);
  expect(completed.stderr).toContain('error wrong_phase: ');
});
