/** Two databases switched together by a Job, with the rights of its Role alone: its pod is deleted on the way, and the next one goes on. */

import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { until } from '../../src/base/async.ts';
import { onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPair } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';
import { startApplication } from '../support/light-application.ts';

const DATABASES = ['shop', 'billing'];
const PATIENCE_MS = 180_000;

onCluster('a cutover as a Job', () => {
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;

  beforeAll(async () => {
    namespace = await openNamespace();
    [source, target] = await startPair(namespace.cluster);
    for (const server of [source, target]) await server.query('CREATE DATABASE billing');
    for (const database of DATABASES) {
      await source.query('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)', database);
    }
    const url = 'postgresql://postgres@pg15:5432/shop?sslmode=disable';
    const data = { DATABASE_URL: url };
    await startApplication(namespace.cluster, { kind: 'ConfigMap', by: 'envFrom', data });
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  const server = (host: string) => ({
    uri: `postgresql://postgres@${host}:5432/shop`,
    passwordFrom: { secretKeyRef: { name: host } },
  });
  const config = stringify({
    migration: 'switch-job',
    databases: DATABASES,
    source: server('pg15'),
    target: server('pg16'),
    cutover: { guard: { verified: false }, pauseBudget: '20s' },
    traffic: {
      driver: 'kubernetes',
      kubernetes: { configMap: 'app', urlKey: 'DATABASE_URL', workloads: ['deployment/app'], replicas: 1 },
    },
  });
  const k8s = (action: string, ...argv: string[]) =>
    runTool(config, ['k8s', action, '-n', namespace.name, ...argv]);
  const apply = async (command: string) => {
    const applied = await k8s('apply', '--run', command, '--image', TEST_IMAGE);
    expect(applied.exitCode, applied.stderr).toBe(0);
  };
  const waitFor = <T>(what: string, probe: () => Promise<T | undefined>): Promise<T> =>
    until(what, probe, { timeoutMs: PATIENCE_MS, intervalMs: 300 });
  const phase = async () =>
    (await target.query<{ phase: string }>('SELECT phase FROM pgglide.migration').catch(() => []))[0]?.phase;
  const pointsAt = async () => {
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'app' };
    return (await namespace.cluster.require<V1ConfigMap>(ref)).data?.DATABASE_URL;
  };

  test('is finished by the next pod, and the application is on the new side', async () => {
    await apply('sync');
    await waitFor('following', async () => ((await phase()) === 'following' ? true : undefined));
    await apply('cutover');
    // The proxies are on their way in.
    await waitFor('the change of the ConfigMap', async () =>
      (await pointsAt())?.includes('pgglide-switch-job-proxy') ? true : undefined,
    );
    const labels = 'job-name=pgglide-switch-job-cutover';
    const pods = await namespace.cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels });
    for (const { metadata } of pods) {
      await namespace.cluster.remove({ apiVersion: 'v1', kind: 'Pod', name: metadata?.name ?? '' });
    }
    const logs = await k8s('logs', '--run', 'cutover');
    expect(logs.exitCode, logs.stdout + logs.stderr).toBe(0);
    expect(await phase()).toBe('switched');
    for (const database of DATABASES) {
      expect(await target.query('SELECT id FROM t', database)).toEqual([{ id: 7 }]);
      // A write through the new side's door goes; the old one is fenced.
      await target.query('INSERT INTO t VALUES (1)', database);
      await expect(source.query('INSERT INTO t VALUES (2)', database)).rejects.toMatchObject({
        code: '25006',
      });
    }
  });
});
