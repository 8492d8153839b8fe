/** The tool is killed in every part of sync, stopped, started twice; servers crash under it. The same command goes on. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KillAt } from './tool.ts';
import { LARGE_TABLES, World } from './world.ts';

/** Slow enough, and with tables large enough to be copied one by one, that something happens in the middle of the copy. */
const SLOW_COPY = 'copy: { jobs: 2, indexJobs: 1, rateLimit: 6MB/s }';

let world: World;

beforeAll(async () => {
  world = await World.create({
    rows: 10_000,
    rate: 50,
    config: [SLOW_COPY],
    prepare: LARGE_TABLES,
  });
  await world.startProxy();
  await world.startLoad();
}, 180_000);

afterAll(async () => world?.[Symbol.asyncDispose]());

test.each<KillAt>([
  { type: 'step-finished', step: 'install-own-schema' },
  { type: 'phase-changed' },
  { type: 'step-started', step: 'load-schema' },
  { type: 'step-finished', step: 'load-schema' },
  { type: 'step-started', step: 'copy-tables' },
])('killed before the copy, at $type $step', async (at) => {
  expect((await world.run(['sync'], at)).signal).toBe('SIGKILL');
});

test('a second runner is refused, Ctrl-C in the copy ends with 10, and what was copied stays', async () => {
  const first = world.start(['sync']);
  await first.copiesHalf();
  await first.stop();
  const second = await world.run(['sync']);
  expect(second.exitCode).toBe(8);
  expect(second.stderr).toContain('another_runner');
  const stopping = first.kill('SIGINT');
  first.goOn();
  const stopped = await stopping;
  expect(stopped.exitCode, stopped.stderr).toBe(10);
  const copied = await world.copiedParts();
  expect(copied.length).toBeGreaterThan(0);

  const third = world.start(['sync']);
  await third.logged('copy-progress');
  expect(await world.copiedParts()).toEqual(expect.arrayContaining(copied));
  await third.kill();
});

test('killed in the copy: finished tables are not copied again', async () => {
  await world.succeed(['abort', '--yes']);
  const run = world.start(['sync']);
  await run.copiesHalf();
  await run.kill();
  const copied = await world.copiedParts();
  expect(copied.length).toBeGreaterThan(0);
  const next = await world.run(['sync'], { type: 'copy-finished' });
  expect(next.signal, next.stderr).toBe('SIGKILL');
  const all = await world.copiedParts();
  expect(all).toEqual(expect.arrayContaining(copied));
  expect(all.length).toBeGreaterThan(copied.length);
});

test.each<KillAt>([
  { type: 'index-progress', nth: 3 },
  { type: 'index-progress', nth: 6 },
  { type: 'step-finished', step: 'build-indexes' },
  { type: 'step-started', step: 'subscribe' },
  { type: 'step-finished', step: 'subscribe' },
  { type: 'lag-sampled' },
  { type: 'step-finished', step: 'fence-target' },
])('killed after the copy, at $type $step $nth', async (at) => {
  const before = await world.copiedParts();
  const { signal, stderr } = await world.run(['sync'], at);
  expect(signal, stderr).toBe('SIGKILL');
  expect(await world.copiedParts()).toEqual(before);
});

test('the same command in the end follows, equal, and no request has failed', async () => {
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
  expect(await world.failures()).toEqual([]);
});

test('the target crashes while it follows: the application does not notice, and the link goes on', async () => {
  await world.servers.target.crash();
  const down = await world.run(['status']);
  expect(down.exitCode, down.stderr).toBe(4);
  await world.requestsSucceed();
  await world.servers.target.start();
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
  expect(await world.failures()).toEqual([]);
});

test('the source crashes while the target follows: nothing acknowledged is lost on either side', async () => {
  await world.servers.source.crash();
  await world.servers.source.start();
  await world.requestsSucceed();
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
  const audit = await world.audit('source');
  expect(audit).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0 });
});

test('abort leaves nothing of ours on either server', async () => {
  await world.succeed(['abort', '--yes']);
  expect([await world.ours('source'), await world.ours('target')]).toEqual([[], []]);
});

test('the target crashes in the middle of the copy: exit 4, and the same command goes on', async () => {
  const run = world.start(['sync']);
  await run.copiesHalf();
  await world.servers.target.crash();
  const { exitCode, stderr } = await run.ended;
  expect(exitCode, stderr).toBe(4);
  await world.servers.target.start();
  const copied = await world.copiedParts();
  await world.succeed(['sync']);
  expect(await world.copiedParts()).toEqual(expect.arrayContaining(copied));
  expect(await world.isEqual()).toBe(true);
});

test('the source crashes in the middle of the copy: exit 4, and the same command goes on', async () => {
  await world.succeed(['abort', '--yes']);
  const run = world.start(['sync']);
  await run.copiesHalf();
  await world.servers.source.crash();
  const { exitCode, stderr } = await run.ended;
  expect(exitCode, stderr).toBe(4);
  await world.servers.source.start();
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
});

test('its slot is lost, and the tool is killed wherever it begins the copy again: no row is lost or doubled', async () => {
  await world.succeed(['abort', '--yes']);
  const run = world.start(['sync']);
  await run.copiesHalf();
  await run.kill();
  await world.query('source', 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
  for (const statement of [
    'DELETE FROM pgglide.copy_table',
    'DROP PUBLICATION',
    'CREATE PUBLICATION',
    'INSERT INTO pgglide.copy_table',
    'DELETE FROM pgglide.copy_table',
    'DROP PUBLICATION',
    'INSERT INTO pgglide.copy_table',
  ]) {
    const { signal, stderr } = await world.run(['sync'], { statement });
    expect(signal, `${statement}: ${stderr}`).toBe('SIGKILL');
  }
  await world.succeed(['sync']);
  expect(await world.isEqual()).toBe(true);
});
