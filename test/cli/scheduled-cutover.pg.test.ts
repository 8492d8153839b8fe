/** `cutover --at` and `--auto` at the real command line: what they wait for, and that nothing is done before. */

import { expect, test } from 'vitest';
import { freePort } from '../../src/embedded/port.ts';
import type { SwitchResult } from '../../src/migration/switch.ts';
import type { MigrationStatus } from '../../src/observers/status.ts';
import { Bed } from './bed.ts';
import { serverPair } from './server-pair.ts';

const LATER_MS = 8_000;

const servers = serverPair();

const createBed = async (): Promise<Bed> =>
  Bed.create({
    ...servers,
    schema: 'CREATE TABLE public.item (id int PRIMARY KEY); INSERT INTO public.item VALUES (1)',
    config: [`proxy: { listen: "127.0.0.1:${await freePort()}", control: "unix:nobody.sock" }`],
  });

async function statusOf(bed: Bed): Promise<MigrationStatus> {
  const { exitCode, stdout, stderr } = await bed.pgglide(['status', '-o', 'json']);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as MigrationStatus;
}

test('waits for the proxy and a verification and then switches; with a moment not before that', async () => {
  await using bed = await createBed();
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);

  const atMs = Date.now() + LATER_MS;
  const cutover = bed.start(['cutover', '--auto', '--at', new Date(atMs).toISOString(), '-o', 'json']);
  await cutover.says('Missing as of now: not verified; the traffic switch does not answer.');
  await cutover.says('Cutover waits: not verified; the traffic switch does not answer');
  const proxy = bed.start(['proxy']);
  try {
    await proxy.says('listening on');
    await cutover.says('Cutover waits: not verified\n');
    expect(await statusOf(bed)).toMatchObject({ phase: 'following', activeSide: 'source' });
    expect((await bed.pgglide(['verify'])).exitCode).toBe(0);
    const { exitCode, stdout, stderr } = await cutover.ended;
    expect(exitCode, stderr).toBe(0);
    const { summary } = JSON.parse(stdout) as SwitchResult;
    expect(Date.parse(summary.pausedAt ?? '')).toBeGreaterThanOrEqual(atMs);
    expect(await statusOf(bed)).toMatchObject({ phase: 'switched', activeSide: 'target' });
    expect((await bed.pgglide(['complete', '--yes', '--drop-fence'])).exitCode).toBe(0);
  } finally {
    await proxy.kill('SIGTERM');
  }
});

test('called off while it waits, nothing is done', async () => {
  await using bed = await createBed();
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  const cutover = bed.start(['cutover', '--at', '2999-01-01T00:00Z']);
  await cutover.says('Cutover at 2999-01-01T00:00:00Z; nothing is done before');
  expect((await cutover.kill('SIGINT')).exitCode).toBe(10);
  expect(await statusOf(bed)).toMatchObject({
    phase: 'following',
    activeSide: 'source',
    problems: [expect.stringContaining('nobody.sock')],
  });
});

test('what waiting does not change is said at once', async () => {
  await using bed = await createBed();
  const past = await bed.pgglide(['cutover', '--at', '2020-01-01T00:00Z']);
  expect(past.exitCode).toBe(2);
  expect(past.stderr).toContain('has passed');
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  expect((await bed.pgglide(['abort', '--yes'])).exitCode).toBe(0);
  const aborted = await bed.pgglide(['cutover', '--auto']);
  expect(aborted.exitCode, aborted.stderr).toBe(7);
  expect(aborted.stderr).toContain('error wrong_phase: ');
});
