/**
 * An application that knows its database from a ConfigMap alone, under load: the proxies are put in, traffic is
 * switched, back and again, and the proxies are taken out. No request fails.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ConfigMap, V1Deployment, V1Pod, V1Service } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { seedDatabase } from '../../lab/app/seed.ts';
import { manifest as labManifest } from '../../lab/labctl/k8s/manifest.ts';
import { auditLedger } from '../../lab/load/audit.ts';
import { readLedger, succeeded } from '../../lab/load/ledger.ts';
import { type RunningLoad, startLoad } from '../../lab/load/load.ts';
import { until } from '../../src/base/async.ts';
import { PgglideError } from '../../src/domain/errors.ts';
import type { Cluster, NamedObject } from '../../src/kubernetes/cluster.ts';
import { manifest, onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPostgres } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';

const RATE = 50;
const SEED = 'traffic-on-kubernetes';
const ROLE = { name: 'shop', password: 'Sesam7' };

onCluster('traffic on a cluster', () => {
  let folder: string;
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;
  let nodePort: number;
  let load: RunningLoad;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pgglide-traffic-'));
    namespace = await openNamespace();
    const { cluster } = namespace;
    [source, target] = await Promise.all([
      startPostgres(cluster, { name: 'pg-source', major: 15, database: 'shop' }),
      startPostgres(cluster, { name: 'pg-target', major: 16, database: 'shop' }),
    ]);
    await seedDatabase(addressOf(source), { rows: 3000, appRole: ROLE });
    await cluster.apply(
      manifest({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'shop-db' },
        stringData: { PGUSER: ROLE.name, PGPASSWORD: ROLE.password },
      }),
    );
    for (const document of parseAllDocuments(labManifest('shop.yaml', { IMAGE: TEST_IMAGE }))) {
      await cluster.create(document.toJS() as NamedObject);
    }
    nodePort = await openNodePort(cluster, 'shop');
    await until('the shop', async () => ((await shop()).status?.availableReplicas === 2 ? true : undefined), {
      timeoutMs: 180_000,
      intervalMs: 500,
    });
  });

  afterAll(async () => {
    await load?.stop();
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const shop = () =>
    namespace.cluster.require<V1Deployment>({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' });
  const configMap = () =>
    namespace.cluster.require<V1ConfigMap>({ apiVersion: 'v1', kind: 'ConfigMap', name: 'shop-db' });
  const proxyPods = () =>
    namespace.cluster.list<V1Pod>(
      { apiVersion: 'v1', kind: 'Pod' },
      { labels: 'app.kubernetes.io/component=proxy' },
    );
  const addressOf = ({ port, password }: ClusterPostgres) =>
    ({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password,
      database: 'shop',
      sslMode: 'disable',
      connectTimeoutMs: 10_000,
    }) as const;

  /** Which server the shop's own sessions are on now, past the proxies or through them. */
  const shopSessions = async (server: ClusterPostgres): Promise<number> => {
    const [row] = await server.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${ROLE.name}'`,
    );
    return row?.n ?? 0;
  };

  /** The tool runs outside of the cluster. */
  async function pgglide(...argv: string[]): Promise<void> {
    const config = [
      'migration: traffic-test',
      `source: { uri: "postgresql://postgres@127.0.0.1:${source.port}/shop", password: ${source.password}, seenByTarget: "host=pg-source port=5432" }`,
      `target: { uri: "postgresql://postgres@127.0.0.1:${target.port}/shop", password: ${target.password}, seenBySource: "host=pg-target port=5432" }`,
      `kubernetes: { namespace: ${namespace.name} }`,
      'cutover: { pauseBudget: 5s }',
      'traffic:',
      '  driver: kubernetes',
      `  kubernetes: { configMap: shop-db, hostKey: PGHOST, portKey: PGPORT, workloads: [deployment/shop], image: "${TEST_IMAGE}" }`,
    ].join('\n');
    const { exitCode, stdout, stderr } = await runTool(config, argv);
    expect(exitCode, stdout + stderr).toBe(0);
  }

  test('no request fails while it is put in, switched, back and again, and taken out', async () => {
    const url = `http://127.0.0.1:${nodePort}`;
    await until(
      'the node port',
      () =>
        fetch(`${url}/healthz`)
          .then(() => true)
          .catch(() => undefined),
      {
        timeoutMs: 120_000,
        intervalMs: 200,
      },
    );
    const ledgerPath = join(folder, 'ledger.jsonl');
    load = await startLoad({
      url,
      rate: RATE,
      ledgerPath,
      seed: SEED,
    });
    await pgglide('sync');
    await pgglide('verify');
    expect(await proxyPods()).toEqual([]);
    await pgglide('cutover');
    expect(await proxyPods()).toHaveLength(2);
    expect((await configMap()).data?.PGHOST).toBe('pgglide-traffic-test-proxy');
    expect(await shopSessions(source)).toBe(0);
    await pgglide('rollback');
    expect(await shopSessions(source)).toBeGreaterThan(0);
    await pgglide('cutover', '--unverified');
    await pgglide('complete', '--yes');
    const { data, metadata } = await configMap();
    expect(data).toMatchObject({ PGHOST: 'pg-target', PGPORT: '5432' });
    expect(metadata?.annotations ?? {}).not.toHaveProperty(['pgglide.io/migration']);
    expect(await shopSessions(target)).toBeGreaterThan(0);

    await load.stop();
    const ledger = await readLedger(ledgerPath, SEED);
    expect(ledger.outcomes.length).toBeGreaterThan(RATE * 20);
    expect(ledger.outcomes.filter((outcome) => !succeeded(outcome))).toEqual([]);
    const audit = await auditLedger({ ledgerPath, seed: SEED, addresses: { active: addressOf(target) } });
    expect(audit, JSON.stringify(audit)).toMatchObject({ ok: true, lost: 0, doubled: 0 });
  });
});

/** Those that the test cluster shows to this machine; some may be in use. */
async function openNodePort(cluster: Cluster, service: string): Promise<number> {
  const ref = { apiVersion: 'v1', kind: 'Service', name: service };
  for (let nodePort = 30_009; nodePort >= 30_000; nodePort--) {
    try {
      await cluster.patch<V1Service>(ref, ({ spec }) => ({
        spec: { type: 'NodePort', ports: spec?.ports?.map((port) => ({ ...port, nodePort })) },
      }));
      return nodePort;
    } catch (error) {
      if (!(error instanceof PgglideError) || error.code !== 'cluster_refused') throw error;
    }
  }
  throw new Error('No port from 30000 to 30009 is free');
}
