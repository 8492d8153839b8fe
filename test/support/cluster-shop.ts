/** The lab's shop on the cluster, that knows its database from a ConfigMap alone, and the tool outside of the cluster. */

import type { V1Deployment, V1Pod, V1Service } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { seedDatabase } from '../../lab/app/seed.ts';
import { manifest as labManifest } from '../../lab/labctl/k8s/manifest.ts';
import { until } from '../../src/base/async.ts';
import type { ServerAddress } from '../../src/config/server-address.ts';
import { PgglideError } from '../../src/domain/errors.ts';
import type { Cluster, NamedObject } from '../../src/kubernetes/cluster.ts';
import { manifest, openNamespace, type TestNamespace } from './cluster.ts';
import { type ClusterPostgres, startPostgres } from './cluster-postgres.ts';
import { type CliResult, runTool, TEST_IMAGE } from './cluster-tool.ts';

const PATIENCE_MS = 180_000;

export interface ClusterShop extends AsyncDisposable {
  readonly namespace: TestNamespace;
  readonly source: ClusterPostgres;
  readonly target: ClusterPostgres;
  /** Of the shop, for this machine. */
  readonly url: string;
  /** The role that the shop is. */
  readonly role: string;
  pgglide(...argv: readonly string[]): Promise<CliResult>;
  /** That run, whether ready or not. */
  proxyPods(): Promise<V1Pod[]>;
}

const ROLE = { name: 'shop', password: 'Sesam7' };

export async function openClusterShop(migration: string, pauseBudget: string): Promise<ClusterShop> {
  const namespace = await openNamespace();
  const { cluster } = namespace;
  const [source, target] = await Promise.all([
    startPostgres(cluster, { name: 'pg-source', major: 15, database: 'shop' }),
    startPostgres(cluster, { name: 'pg-target', major: 16, database: 'shop' }),
  ]);
  await seedDatabase(addressOf(source), { rows: 3000, appRole: ROLE });
  const config = configOf({ migration, pauseBudget, namespace, source, target });
  return {
    ...{ namespace, source, target, role: ROLE.name },
    url: await startShop(cluster),
    pgglide: (...argv) => runTool(config, argv),
    proxyPods: async () => {
      const labels = 'app.kubernetes.io/component=proxy';
      const pods = await cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels });
      return pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    },
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
      await namespace[Symbol.asyncDispose]();
    },
  };
}

export const addressOf = ({ port, password }: ClusterPostgres): ServerAddress => ({
  host: '127.0.0.1',
  port,
  user: 'postgres',
  password,
  database: 'shop',
  sslMode: 'disable',
  connectTimeoutMs: 10_000,
});

/** Resolves to its URL when it answers. */
async function startShop(cluster: Cluster): Promise<string> {
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
  const url = `http://127.0.0.1:${await openNodePort(cluster, 'shop')}`;
  const shop = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop' };
  const isUp = async () => {
    const { status } = await cluster.require<V1Deployment>(shop);
    if (status?.availableReplicas !== 2) return undefined;
    return fetch(`${url}/healthz`).then(
      () => true,
      () => undefined,
    );
  };
  await until('the shop', isUp, { timeoutMs: PATIENCE_MS, intervalMs: 300 });
  return url;
}

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

interface ConfigInput {
  readonly migration: string;
  readonly pauseBudget: string;
  readonly namespace: TestNamespace;
  readonly source: ClusterPostgres;
  readonly target: ClusterPostgres;
}

function configOf({ migration, pauseBudget, namespace, source, target }: ConfigInput): string {
  const server = ({ name, port, password }: ClusterPostgres, seenBy: string) =>
    `{ uri: "postgresql://postgres@127.0.0.1:${port}/shop", password: ${password}, ${seenBy}: "host=${name} port=5432" }`;
  return [
    `migration: ${migration}`,
    `source: ${server(source, 'seenByTarget')}`,
    `target: ${server(target, 'seenBySource')}`,
    `kubernetes: { namespace: ${namespace.name} }`,
    `cutover: { pauseBudget: ${pauseBudget} }`,
    'traffic:',
    '  driver: kubernetes',
    `  kubernetes: { configMap: shop-db, hostKey: PGHOST, portKey: PGPORT, workloads: [deployment/shop], image: "${TEST_IMAGE}" }`,
  ].join('\n');
}
