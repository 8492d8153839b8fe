/** Proxy and servers die around a switch. Requests in flight die with them; what was acknowledged stays, once. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { IN_THE_PAUSE } from './kill-points.ts';
import { DIRECTIONS } from './killed-switch.ts';
import { World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.create({ rate: 50 });
  await world.startProxy();
  await world.succeed(['sync']);
  await world.startLoad();
}, 180_000);

afterAll(async () => world?.[Symbol.asyncDispose]());

async function restartProxy(): Promise<void> {
  await world.killProxy();
  await world.startProxy();
}

/** A switch frozen after a step, as a tool on a machine that stands still; `meanwhile` happens, then it goes on. */
async function frozen(direction: string, step: keyof typeof IN_THE_PAUSE, meanwhile: () => Promise<void>) {
  const tool = world.start([direction], { ...IN_THE_PAUSE[step], signal: 'SIGSTOP' });
  await tool.hasStopped();
  await meanwhile();
  tool.goOn();
  return tool.ended;
}

/** The same command again, where it did not end well or has left something to do. */
async function settle(direction: 'cutover' | 'rollback'): Promise<void> {
  const { activeSide, problems } = await world.status();
  const isThere = activeSide === (direction === 'cutover' ? 'target' : 'source');
  if (!isThere || problems.length > 0) await world.succeed([direction]);
  await world.trafficGoesOn();
  await world.requestsSucceed();
}

test('before a cutover: clients come back to the source', async () => {
  await restartProxy();
  expect((await world.proxyState())?.activeSide).toBe('source');
  await world.requestsSucceed();
});

test('in the pause, before the commit point: the cutover is given up or goes through, never half', async () => {
  const ended = await frozen('cutover', 'drain-replication', restartProxy);
  expect(ended.exitCode, ended.stderr).not.toBe(1);
  const { activeSide } = await world.status();
  expect(await world.trafficGoesOn()).toBe(activeSide);
  expect(await world.doors()).toMatchObject({ [activeSide]: 'open' });
  await settle('cutover');
});

test('after a cutover: the row decides, whatever an old state file says', async () => {
  await world.killProxy();
  await writeFile(join(world.folder, 'proxy.sock.state'), '{"side":"source","epoch":0}\n');
  await world.startProxy();
  expect((await world.proxyState())?.activeSide).toBe('target');
  await world.requestsSucceed();
});

test('the target crashes behind its own fence, before the commit point of a rollback: it takes writes again with no further command', async () => {
  const ended = await frozen('rollback', 'fence-old-side', async () => {
    await world.servers.target.crash();
    await world.servers.target.start();
  });
  expect(ended.exitCode, ended.stderr).toBe(4);
  expect(await world.trafficGoesOn()).toBe('target');
  expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  await world.requestsSucceed();
});

test('after the commit point of a rollback, before traffic moved: the new proxy serves the new side', async () => {
  await frozen('rollback', 'commit-switch', async () => {
    await restartProxy();
    expect((await world.proxyState())?.activeSide).toBe('source');
  });
  await settle('rollback');
  expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
});

test('the proxy is away for the whole cutover: it is refused before anything is paused', async () => {
  await world.killProxy();
  const { exitCode, stderr } = await world.run(['cutover']);
  expect(exitCode, stderr).toBe(4);
  expect(stderr).toContain('proxy_unreachable');
  expect(await world.doors()).toEqual({ source: 'open', target: 'fenced' });
  await world.startProxy();
  await world.requestsSucceed();
});

test('the target crashes between commit point and resume: everything goes forward', async () => {
  await frozen('cutover', 'commit-switch', async () => {
    await world.servers.target.crash();
    await world.servers.target.start();
  });
  await settle('cutover');
  expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
});

test('the target is away behind the commit point for longer than the tool waits: back again, it takes writes with no further command', async () => {
  await world.succeed(['rollback']);
  const ended = await frozen('cutover', 'commit-switch', () => world.servers.target.crash());
  expect(ended.exitCode, ended.stderr).toBe(4);
  await world.servers.target.start();
  expect(await world.trafficGoesOn()).toBe('target');
  expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  await settle('cutover');
});

test('the source goes, and the tool with it, behind the commit point of a cutover: the target takes writes without either', async () => {
  await world.succeed(['rollback']);
  const tool = world.start(['cutover'], { ...IN_THE_PAUSE['commit-switch'], signal: 'SIGSTOP' });
  await tool.hasStopped();
  await world.servers.source.crash();
  await tool.kill();
  expect(await world.trafficGoesOn()).toBe('target');
  expect(await world.doors()).toEqual({ source: 'down', target: 'open' });
  await world.requestsSucceed();
  await world.servers.source.start();
  await settle('cutover');
});

test.each(['fence-old-side', 'commit-switch'] as const)(
  'the proxy goes at "%s" and the tool hangs there for good: the new proxy opens the active side with no further command',
  async (step) => {
    if ((await world.status()).activeSide === 'target') await world.succeed(['rollback']);
    const tool = world.start(['cutover'], { ...IN_THE_PAUSE[step], signal: 'SIGSTOP' });
    await tool.hasStopped();
    await restartProxy();
    const active = (await world.proxyState())?.activeSide ?? 'source';
    expect(active).toBe(step === 'commit-switch' ? 'target' : 'source');
    expect(await world.doors()).toMatchObject({ [active]: 'fenced' });
    await until('the open side', async () => (await world.doors())[active] === 'open' || undefined, {
      timeoutMs: 60_000,
    });
    await world.requestsSucceed();
    tool.goOn();
    await tool.ended;
    expect(await world.trafficGoesOn()).toBe(active);
    await settle('cutover');
  },
);

test('the source crashes right after a cutover: the way back waits for it, then it is complete', async () => {
  await world.servers.source.crash();
  await world.requestsSucceed();
  await world.servers.source.start();
  await until('the link', async () => (await world.status()).link?.isStreaming || undefined, {
    timeoutMs: 60_000,
  });
  await world.succeed(['rollback']);
  await world.requestsSucceed();
});

test('the connection of the link is cut: the next command waits until it is back, and goes on', async () => {
  await world.query('source', 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  await world.succeed(['cutover']);
  await world.query('target', 'SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  expect(await world.isEqual()).toBe(true);
  await world.succeed(['rollback']);
  await world.requestsSucceed();
});

test('the tool is frozen in the pause: traffic goes on without it, and waking up it does no harm', async () => {
  const before = (await world.failures()).length;
  const ended = await frozen('cutover', 'drain-replication', async () => {
    expect(await world.trafficGoesOn()).toBe('source');
    await world.requestsSucceed();
  });
  expect(ended.exitCode, ended.stderr).not.toBe(1);
  const active = await world.trafficGoesOn();
  expect((await world.status()).activeSide).toBe(active);
  expect((await world.failures()).slice(before)).toEqual([]);
  await settle('cutover');
});

test('the tool is frozen behind the old side’s fence while another one switches: waking up it opens nothing', async () => {
  if ((await world.status()).activeSide === 'target') await world.succeed(['rollback']);
  await frozen('cutover', 'fence-old-side', async () => {
    expect(await world.trafficGoesOn()).toBe('source');
    await world.succeed(['cutover']);
  });
  expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  await settle('cutover');
});

test.each(DIRECTIONS)(
  'the tool is frozen behind the commit point of a %s while another one finishes it and switches back: waking up it opens nothing',
  async (direction, from, to) => {
    if ((await world.status()).activeSide === to)
      await world.succeed([direction === 'cutover' ? 'rollback' : 'cutover']);
    const ended = await frozen(direction, 'commit-switch', async () => {
      expect(await world.trafficGoesOn()).toBe(to);
      await world.succeed([direction === 'cutover' ? 'rollback' : 'cutover']);
    });
    expect(ended.exitCode, ended.stderr).toBe(7);
    expect(ended.stderr).toContain('epoch_moved');
    expect(await world.doors()).toEqual({ [from]: 'open', [to]: 'fenced' });
    expect(await world.trafficGoesOn()).toBe(from);
    expect(await world.isEqual()).toBe(true);
    await settle('cutover');
  },
);

test('a sync that is frozen while it undoes a cutover, and has lost its lock: waking up it opens nothing', async () => {
  if ((await world.status()).activeSide === 'target') await world.succeed(['rollback']);
  const cutover = world.start(['cutover'], { ...IN_THE_PAUSE['fence-old-side'], signal: 'SIGSTOP' });
  await cutover.hasStopped();
  await world.killProxy();
  await cutover.kill();
  const sync = world.start(['sync'], { statement: 'DISTINCT FROM.* AS raised', signal: 'SIGSTOP' });
  await sync.hasStopped();
  await world.startProxy();
  await world.query(
    'target',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgglide: control'",
  );
  await world.succeed(['cutover']);
  sync.goOn();
  await sync.ended;
  expect(await world.doors()).toEqual({ source: 'fenced', target: 'open' });
  await settle('cutover');
});

test('nothing acknowledged was lost or doubled by any of it', async () => {
  expect(await world.isEqual()).toBe(true);
  const audit = await world.audit('target');
  expect(audit).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0 });
  expect(audit.acknowledged).toBeGreaterThan(100);
});
