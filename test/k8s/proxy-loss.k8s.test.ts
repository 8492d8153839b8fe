/**
 * A proxy's pod is killed between pause and resume, with requests waiting in it, and the Deployment starts another one,
 * which holds nobody back. The attempt is given up: no acknowledged write is lost or doubled, and the next attempt switches.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditLedger } from '../../lab/load/audit.ts';
import { readLedger, succeeded } from '../../lab/load/ledger.ts';
import { type RunningLoad, startLoad } from '../../lab/load/load.ts';
import { until } from '../../src/base/async.ts';
import { killPod, onCluster } from '../support/cluster.ts';
import { addressOf, type ClusterShop, openClusterShop } from '../support/cluster-shop.ts';
import { holdLock } from '../support/lasting-lock.ts';

const RATE = 50;
const SEED = 'proxy-lost-in-the-pause';
const PATIENCE_MS = 180_000;

onCluster('a proxy that is killed in the pause', () => {
  let folder: string;
  let shop: ClusterShop;
  let load: RunningLoad;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pgglide-loss-'));
    shop = await openClusterShop('loss-test', '2min');
  });

  afterAll(async () => {
    await load?.stop();
    await shop?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function pgglide(...argv: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await shop.pgglide(...argv);
    expect(exitCode, stdout + stderr).toBe(0);
  }

  /** Names of those whose container runs. */
  const runningProxies = async (): Promise<string[]> =>
    (await shop.proxyPods())
      .filter(({ status }) => status?.containerStatuses?.some(({ state }) => state?.running !== undefined))
      .map(({ metadata }) => metadata?.name ?? '');

  test('no acknowledged write is lost or doubled, and the next attempt switches', async () => {
    const { url, source, target, namespace } = shop;
    const ledgerPath = join(folder, 'ledger.jsonl');
    load = await startLoad({ url, rate: RATE, ledgerPath, seed: SEED });
    await pgglide('sync');
    await pgglide('rehearse');

    const before = await runningProxies();
    expect(before).toHaveLength(2);
    const lock = await holdLock({ ...addressOf(source), ssl: false }, 'public.orders');
    const switching = shop.pgglide('cutover', '--unverified');
    await Promise.race([
      lock.isAwaited,
      switching.then(({ stdout, stderr }) => expect.unreachable(`it came to no pause: ${stdout}${stderr}`)),
    ]);
    const killedAtMs = Date.now();
    const [victim = ''] = before;
    await killPod(namespace.name, victim);
    await until(
      'another proxy in its place',
      async () => ((await runningProxies()).some((name) => !before.includes(name)) ? true : undefined),
      { timeoutMs: PATIENCE_MS, intervalMs: 200 },
    );
    await lock.release();
    const { exitCode, stdout, stderr } = await switching;
    expect([exitCode, stderr], stdout + stderr).toEqual([6, expect.stringContaining('proxies_changed')]);

    await pgglide('cutover', '--unverified');
    const switchedAtMs = Date.now();
    const [row] = await target.query<{ active_side: string }>('SELECT active_side FROM pgglide.migration');
    expect(row?.active_side).toBe('target');
    await load.stop();

    const { header, outcomes } = await readLedger(ledgerPath, SEED);
    const audit = await auditLedger({
      ledgerPath,
      seed: SEED,
      addresses: { active: addressOf(target), other: addressOf(source) },
    });
    expect(audit, JSON.stringify(audit)).toMatchObject({ ok: true, lost: 0, doubled: 0 });
    // What waited in the dead proxy, and what was sent to its address until the cluster knew better.
    const failedAt = outcomes.filter((each) => !succeeded(each)).map(({ atMs }) => header.startedAtMs + atMs);
    expect(failedAt.filter((atMs) => atMs > switchedAtMs)).toEqual([]);
    expect(failedAt.filter((atMs) => atMs < killedAtMs - RECENT_MS)).toEqual([]);
  });
});

/** A request that was cut off had been waiting for less than this. */
const RECENT_MS = 30_000;
