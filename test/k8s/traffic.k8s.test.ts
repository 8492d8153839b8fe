/**
 * An application that knows its database from a ConfigMap alone, under load: the proxies are put in, traffic is
 * switched, back and again, and the proxies are taken out. No request fails.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditLedger } from '../../lab/load/audit.ts';
import { readLedger, succeeded } from '../../lab/load/ledger.ts';
import { type RunningLoad, startLoad } from '../../lab/load/load.ts';
import { onCluster } from '../support/cluster.ts';
import type { ClusterPostgres } from '../support/cluster-postgres.ts';
import { addressOf, type ClusterShop, openClusterShop } from '../support/cluster-shop.ts';

const RATE = 50;
const SEED = 'traffic-on-kubernetes';

onCluster('traffic on a cluster', () => {
  let folder: string;
  let shop: ClusterShop;
  let load: RunningLoad;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pgglide-traffic-'));
    shop = await openClusterShop('traffic-test', '5s');
  });

  afterAll(async () => {
    await load?.stop();
    await shop?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const configMap = () =>
    shop.namespace.cluster.require<V1ConfigMap>({ apiVersion: 'v1', kind: 'ConfigMap', name: 'shop-db' });

  /** Which server the shop's own sessions are on now, past the proxies or through them. */
  const sessionsOn = async (server: ClusterPostgres): Promise<number> => {
    const [row] = await server.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${shop.role}'`,
    );
    return row?.n ?? 0;
  };

  async function pgglide(...argv: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await shop.pgglide(...argv);
    expect(exitCode, stdout + stderr).toBe(0);
  }

  test('no request fails while it is put in, switched, back and again, and taken out', async () => {
    const { url, source, target, proxyPods } = shop;
    const ledgerPath = join(folder, 'ledger.jsonl');
    load = await startLoad({ url, rate: RATE, ledgerPath, seed: SEED });
    await pgglide('sync');
    await pgglide('verify');
    expect(await proxyPods()).toEqual([]);
    await pgglide('cutover');
    expect(await proxyPods()).toHaveLength(2);
    expect((await configMap()).data?.PGHOST).toBe('pgglide-traffic-test-proxy');
    expect(await sessionsOn(source)).toBe(0);
    await pgglide('rollback');
    expect(await sessionsOn(source)).toBeGreaterThan(0);
    await pgglide('cutover', '--unverified');
    await pgglide('complete', '--yes');
    const { data, metadata } = await configMap();
    expect(data).toMatchObject({ PGHOST: 'pg-target', PGPORT: '5432' });
    expect(metadata?.annotations ?? {}).not.toHaveProperty(['pgglide.io/migration']);
    expect(await sessionsOn(target)).toBeGreaterThan(0);

    await load.stop();
    const ledger = await readLedger(ledgerPath, SEED);
    expect(ledger.outcomes.length).toBeGreaterThan(RATE * 20);
    expect(ledger.outcomes.filter((outcome) => !succeeded(outcome))).toEqual([]);
    const audit = await auditLedger({ ledgerPath, seed: SEED, addresses: { active: addressOf(target) } });
    expect(audit, JSON.stringify(audit)).toMatchObject({ ok: true, lost: 0, doubled: 0 });
  });
});
