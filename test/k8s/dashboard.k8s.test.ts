/** The live page beside the Job, reached through its Service: it shows the migration's state to those who know the token. */

import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { V1Deployment, V1Job, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { manifest, onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPair } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';

const NAME = 'pgglide-dashboard-test-dashboard';
const PATIENCE_MS = 120_000;

/** Asks the Service from inside the cluster, as a pod of its own, and prints what it answers when it has looked once. */
const ASK = `
const url = 'http://${NAME}:8433';
const ask = async (path, headers = {}) => {
  const response = await fetch(url + path, { headers });
  return { status: response.status, body: await response.text() };
};
const authorization = 'Bearer ' + process.env.TOKEN;
const until = Date.now() + 60_000;
let state;
do state = await ask('/api/state', { authorization });
while (!JSON.parse(state.body).status && Date.now() < until);
console.log(JSON.stringify({
  healthz: (await ask('/healthz')).status,
  page: (await ask('/')).body.includes('pgglide'),
  refused: (await ask('/api/state')).status,
  metrics: (await ask('/metrics', { authorization })).body.includes('pgglide_phase{phase="following"} 1'),
  state: JSON.parse(state.body),
}));`;

onCluster('the dashboard in a cluster', () => {
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;

  beforeAll(async () => {
    namespace = await openNamespace();
    [source, target] = await startPair(namespace.cluster);
    await source.query('CREATE TABLE orders (id int PRIMARY KEY)');
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  const config = [
    'migration: dashboard-test',
    ...['source: pg15', 'target: pg16'].map((line) => {
      const [side, host] = line.split(': ');
      return `${side}: { uri: "postgresql://postgres@${host}:5432/shop", passwordFrom: { secretKeyRef: { name: ${host} } } }`;
    }),
    'traffic: { driver: none }',
  ].join('\n');

  const waitFor = <T>(what: string, probe: () => Promise<T | undefined>): Promise<T> =>
    until(what, probe, { timeoutMs: PATIENCE_MS, intervalMs: 300 });

  test('shows through its Service that the target follows, and nothing without the token', async () => {
    await namespace.cluster.apply(
      manifest({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: NAME },
        stringData: { token: randomBytes(32).toString('hex') },
      }),
    );
    const applied = await runTool(config, [
      ...['k8s', 'apply', '--with-dashboard', '--image', TEST_IMAGE, '-n', namespace.name],
    ]);
    expect(applied.exitCode, applied.stderr).toBe(0);
    expect(applied.stdout).toContain(`port-forward service/${NAME} 8433`);
    await waitFor('a ready dashboard', async () => {
      const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: NAME };
      const { status } = await namespace.cluster.require<V1Deployment>(deployment);
      return status?.readyReplicas === 1 ? true : undefined;
    });
    await waitFor('following', async () => {
      const rows = await target
        .query<{ phase: string }>('SELECT phase FROM pgglide.migration')
        .catch(() => []);
      return rows[0]?.phase === 'following' ? true : undefined;
    });
    expect(await asked()).toMatchObject({
      healthz: 200,
      page: true,
      refused: 401,
      metrics: true,
      state: {
        migration: 'dashboard-test',
        status: { phase: 'following', activeSide: 'source' },
        tables: [{ name: 'public.orders', fractionCopied: 1 }],
      },
    });
  });

  async function asked(): Promise<unknown> {
    const job = { apiVersion: 'batch/v1', kind: 'Job', name: 'ask' };
    const token = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: NAME, key: 'token' } } };
    await namespace.cluster.apply(
      manifest({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'ask' },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [
                {
                  name: 'pgglide',
                  image: TEST_IMAGE,
                  imagePullPolicy: 'IfNotPresent',
                  command: ['node', '--input-type=module', '-e', ASK],
                  env: [token],
                },
              ],
            },
          },
        },
      }),
    );
    await waitFor('the answer', async () => {
      const { status } = await namespace.cluster.require<V1Job>(job);
      return status?.succeeded === 1 || status?.failed !== undefined ? true : undefined;
    });
    return JSON.parse(await logOf('ask'));
  }

  async function logOf(jobName: string): Promise<string> {
    const pods = await namespace.cluster.list<V1Pod>(
      { apiVersion: 'v1', kind: 'Pod' },
      { labels: `job-name=${jobName}` },
    );
    const log = new PassThrough().setEncoding('utf8');
    await namespace.cluster.logs(pods[0]?.metadata?.name ?? '', 'pgglide', log, {});
    return (await log.toArray()).join('');
  }
});
