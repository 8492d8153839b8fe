/** The proxies put in and taken out, for every way an application may hold its connection, and where that is not possible. */

import type { V1ConfigMap, V1Deployment, V1Secret } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServerAddress } from '../../src/config/server-address.ts';
import type { KubernetesApplication } from '../../src/config/settings.ts';
import type { ObjectRef } from '../../src/kubernetes/cluster.ts';
import { trafficRights } from '../../src/traffic/kubernetes-rights.ts';
import { openKubernetes } from '../../src/traffic/open-kubernetes.ts';
import { manifest, onCluster, openNamespace, type TestNamespace } from '../support/cluster.ts';
import { type ClusterPostgres, startPostgres } from '../support/cluster-postgres.ts';
import { runTool, TEST_IMAGE } from '../support/cluster-tool.ts';
import {
  APP,
  applicationPods,
  appOf,
  type LightApplication,
  setProgressDeadline,
  startApplication,
  told,
} from '../support/light-application.ts';
import { limitedUser } from '../support/limited-user.ts';
import { settingsFor } from '../support/migration.ts';

const SIGNAL = new AbortController().signal;
const URL = 'postgresql://app:Sesam7@pg-source:5432/shop?sslmode=disable';

onCluster('the proxies on a cluster', () => {
  let namespace: TestNamespace;
  let source: ClusterPostgres;
  let target: ClusterPostgres;

  beforeAll(async () => {
    namespace = await openNamespace();
    [source, target] = await Promise.all([
      startPostgres(namespace.cluster, { name: 'pg-source', major: 15, database: 'shop' }),
      startPostgres(namespace.cluster, { name: 'pg-target', major: 16, database: 'shop' }),
    ]);
  });
  afterEach(async () => {
    for (const kind of ['ConfigMap', 'Secret']) {
      await namespace?.cluster.remove({ apiVersion: 'v1', kind, name: 'app' });
    }
    await namespace?.cluster.remove({ apiVersion: 'v1', kind: 'Pod', name: 'report' });
    for (const kind of ['Deployment', 'StatefulSet'] as const) await namespace?.cluster.remove(appOf(kind));
  });
  afterAll(async () => {
    await source?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  interface Changes {
    readonly migration?: string;
    readonly image?: string;
    readonly kubeconfig?: string;
    readonly workload?: 'Deployment' | 'StatefulSet';
    readonly rolloutTimeoutMs?: number;
  }

  function placementOf(
    application: Omit<KubernetesApplication, 'name' | 'workloads'>,
    changes: Changes = {},
  ) {
    const server = ({ name, password }: ClusterPostgres): ServerAddress => ({
      host: name,
      port: 5432,
      user: 'postgres',
      password,
      database: 'shop',
      sslMode: 'disable',
      connectTimeoutMs: 10_000,
    });
    const [from, to] = [server(source), server(target)];
    const base = settingsFor(from, to, 'unix:/nowhere');
    const { kubeconfig, image = TEST_IMAGE, migration = 'placement', workload = 'Deployment' } = changes;
    const kubernetes = {
      ...base.traffic.kubernetes,
      application: { ...application, name: 'app', workloads: [{ kind: workload, name: 'app' }] },
      image,
      replicas: 1,
      rolloutTimeoutMs: changes.rolloutTimeoutMs ?? 180_000,
    };
    return openKubernetes(
      {
        ...base,
        kubernetes: { kubeconfig, context: undefined, namespace: namespace.name },
        traffic: { ...base.traffic, kubernetes },
      },
      migration,
    ).placement;
  }

  const proxyObject = (kind: string, apiVersion = 'v1') =>
    namespace.cluster.read({ apiVersion, kind, name: 'pgglide-placement-proxy' });
  const template = async (app = APP) => (await namespace.cluster.require<V1Deployment>(app)).spec?.template;
  async function dataOf(ref: ObjectRef): Promise<Record<string, string>> {
    const { data = {} } = await namespace.cluster.require<V1ConfigMap & V1Secret>(ref);
    if (ref.kind === 'ConfigMap') return data;
    const decoded = Object.entries(data).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]);
    return Object.fromEntries(decoded) as Record<string, string>;
  }

  test.each([
    {
      what: 'a URL in a ConfigMap, as environment',
      app: { kind: 'ConfigMap', by: 'envFrom', data: { DATABASE_URL: URL, MODE: 'x' } },
      keys: { url: 'DATABASE_URL' },
      out: 'target',
    },
    {
      what: 'a URL in a Secret’s key',
      app: { kind: 'Secret', by: 'env', data: { DATABASE_URL: URL } },
      keys: { url: 'DATABASE_URL' },
      out: 'source',
    },
    {
      what: 'a file out of a Secret that holds a URL',
      app: { kind: 'Secret', by: 'file', data: { 'app.yaml': `pool:\n  url: "${URL}"\n  size: 4\n` } },
      keys: { url: 'app.yaml' },
      out: 'target',
    },
    {
      what: 'host and port in parts in a ConfigMap',
      app: { kind: 'ConfigMap', by: 'env', data: { PGHOST: 'pg-source', PGPORT: '5432' } },
      keys: { host: 'PGHOST', port: 'PGPORT' },
      out: 'source',
    },
    {
      what: 'a StatefulSet',
      app: { kind: 'ConfigMap', by: 'envFrom', data: { DATABASE_URL: URL }, workload: 'StatefulSet' },
      keys: { url: 'DATABASE_URL' },
      out: 'target',
    },
  ] as const)('$what: in, and out to the $out', async ({ app, keys, out }) => {
    const ref = await startApplication(namespace.cluster, app);
    const { workload = 'Deployment' } = app as LightApplication;
    const before = { data: await dataOf(ref), template: await template(appOf(workload)) };
    // As somebody who may do what the Role says, and nothing else.
    const workloads = [{ kind: workload, name: 'app' }];
    const rights = trafficRights({ kind: app.kind, name: 'app', keys, workloads }, 'placement');
    await using user = await limitedUser(namespace.cluster, 'least', rights);
    const placement = placementOf({ kind: app.kind, keys }, { kubeconfig: user.kubeconfig, workload });
    const pointed = (host: string) =>
      Object.fromEntries(Object.entries(before.data).map(([k, v]) => [k, v.replace('pg-source', host)]));

    await placement.putIn('source', SIGNAL);
    expect(await placement.observe()).toEqual({ place: 'in', waitingFor: undefined });
    expect(await dataOf(ref)).toEqual(pointed('pgglide-placement-proxy'));
    expect(await told(namespace.cluster)).toContain('pgglide-placement-proxy');

    await placement.takeOut(out, SIGNAL);
    expect(await dataOf(ref)).toEqual(pointed(`pg-${out}`));
    expect(await told(namespace.cluster)).not.toMatch(/@pgglide|=pgglide/);
    expect(await placement.observe()).toEqual({ place: 'out', waitingFor: undefined });
    for (const kind of ['Secret', 'Service']) expect(await proxyObject(kind)).toBeUndefined();
    expect(await template(appOf(workload))).toEqual(before.template);
    const { metadata } = await namespace.cluster.require<V1ConfigMap>(ref);
    expect(Object.keys(metadata?.annotations ?? {}).filter((key) => key.startsWith('pgglide'))).toEqual([]);
  });

  test('a pod of somebody else with the application’s labels is not waited for', async () => {
    await namespace.cluster.apply(
      manifest({
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'report', labels: { app: 'app' } } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'app', image: 'busybox:1.36', command: ['sleep', '3600'] }],
        },
      }),
    );
    const data = { DATABASE_URL: URL };
    const ref = await startApplication(namespace.cluster, { kind: 'ConfigMap', by: 'envFrom', data });
    const placement = placementOf(
      { kind: 'ConfigMap', keys: { url: 'DATABASE_URL' } },
      { rolloutTimeoutMs: 60_000 },
    );
    await placement.putIn('source', SIGNAL);
    await placement.takeOut('source', SIGNAL);
    expect(await dataOf(ref)).toEqual(data);
  });

  test('rehearse puts them in, and abort gives the application back as it was', async () => {
    await source.query('CREATE TABLE orders (id int PRIMARY KEY)');
    const data = { PGHOST: 'pg-source', PGPORT: '5432' };
    const ref = await startApplication(namespace.cluster, { kind: 'ConfigMap', by: 'envFrom', data });
    const before = await template();
    const server = (from: ClusterPostgres, seenBy: string) =>
      `{ uri: "postgresql://postgres@127.0.0.1:${from.port}/shop", password: ${from.password}, ${seenBy}: "host=${from.name} port=5432" }`;
    const config = [
      'migration: placement',
      `source: ${server(source, 'seenByTarget')}`,
      `target: ${server(target, 'seenBySource')}`,
      `kubernetes: { namespace: ${namespace.name} }`,
      'cutover: { pauseBudget: 5s }',
      'traffic:',
      '  driver: kubernetes',
      `  kubernetes: { configMap: app, hostKey: PGHOST, portKey: PGPORT, workloads: [deployment/app], replicas: 1, image: "${TEST_IMAGE}" }`,
    ].join('\n');
    for (const command of [['sync'], ['rehearse']]) {
      const { exitCode, stdout, stderr } = await runTool(config, command);
      expect(exitCode, stdout + stderr).toBe(0);
    }
    expect((await dataOf(ref)).PGHOST).toBe('pgglide-placement-proxy');
    const aborted = await runTool(config, ['abort', '--yes']);
    expect(aborted.exitCode, aborted.stderr).toBe(0);
    expect(await dataOf(ref)).toEqual(data);
    expect(await template()).toEqual(before);
    expect(await proxyObject('Deployment', 'apps/v1')).toBeUndefined();
  });

  describe('what cannot be', () => {
    const inMap = { kind: 'ConfigMap', by: 'envFrom', data: { DATABASE_URL: URL } } as const;
    const byUrl = { kind: 'ConfigMap', keys: { url: 'DATABASE_URL' } } as const;

    test('a key that is missing, and an object, are named before anything is done', async () => {
      await expect(placementOf(byUrl).putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'cluster_object_missing',
        exitCode: 3,
      });
      await startApplication(namespace.cluster, inMap);
      await expect(
        placementOf({ kind: 'ConfigMap', keys: { url: 'DB' } }).putIn('source', SIGNAL),
      ).rejects.toMatchObject({
        code: 'application_key_missing',
        exitCode: 3,
        hint: expect.stringContaining('It has: DATABASE_URL'),
      });
      expect(await proxyObject('Deployment', 'apps/v1')).toBeUndefined();
    });

    test('a workload that does not read the ConfigMap is refused', async () => {
      await startApplication(namespace.cluster, { kind: 'Secret', by: 'env', data: { X: 'y' } });
      await startMap();
      await expect(placementOf(byUrl).putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'application_not_reading',
        exitCode: 3,
      });
    });
    const startMap = () =>
      namespace.cluster.apply({
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app' } },
        data: inMap.data,
      } as never);

    test('rights that are missing are named, all of them, with the rules that grant them', async () => {
      await startApplication(namespace.cluster, inMap);
      await using user = await limitedUser(namespace.cluster, 'half', [
        { verb: 'get', group: '', resource: 'configmaps' },
        { verb: 'get', group: 'apps', resource: 'deployments' },
      ]);
      const placement = placementOf(byUrl, { kubeconfig: user.kubeconfig });
      await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'cluster_forbidden',
        exitCode: 3,
        facts: {
          missing: expect.arrayContaining([
            'patch configmaps/app',
            'patch deployments.apps/app',
            'create pods/portforward',
          ]),
        },
        hint: expect.stringContaining('resources: ["pods/portforward"]'),
      });
      expect(await proxyObject('Deployment', 'apps/v1')).toBeUndefined();
    });

    test('an image that is missing: undone at once, nothing was changed', async () => {
      const ref = await startApplication(namespace.cluster, inMap);
      const placement = placementOf(byUrl, { image: 'nobody.example/pgglide:1' });
      await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'rollout_stuck',
        exitCode: 6,
        message: expect.stringMatching(/deployment\/pgglide-placement-proxy .*nobody\.example/),
      });
      expect(await dataOf(ref)).toEqual(inMap.data);
      expect(await placement.observe()).toMatchObject({ place: 'out' });
    });

    test('an application that does not become ready behind the proxy: all as before, with the same pods', async () => {
      const readyIf = 'case "$DATABASE_URL" in *pgglide*) exit 1;; esac';
      const ref = await startApplication(namespace.cluster, { ...inMap, readyIf });
      const before = { template: await template(), pods: await podUids() };
      const placement = placementOf(byUrl);
      await setProgressDeadline(namespace.cluster, 2);
      await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'rollout_stuck',
        exitCode: 6,
        message: expect.stringContaining('deployment/app'),
      });
      expect(await dataOf(ref)).toEqual(inMap.data);
      expect(await template()).toEqual(before.template);
      expect(await podUids()).toEqual(before.pods);
      expect(await placement.observe()).toMatchObject({ place: 'out' });
    });

    test('an application that does not become ready without the proxy goes on through it', async () => {
      const readyIf = 'case "$DATABASE_URL" in *pg-target*) exit 1;; esac';
      const ref = await startApplication(namespace.cluster, { ...inMap, readyIf });
      const placement = placementOf(byUrl);
      await placement.putIn('source', SIGNAL);
      const pods = await podUids();
      await setProgressDeadline(namespace.cluster, 2);
      await expect(placement.takeOut('target', SIGNAL)).rejects.toMatchObject({
        code: 'rollout_stuck',
        exitCode: 6,
        message: expect.stringContaining('deployment/app'),
      });
      expect((await dataOf(ref)).DATABASE_URL).toContain('@pgglide-placement-proxy:5432');
      expect(await podUids()).toEqual(pods);
      expect(await placement.observe()).toMatchObject({ place: 'in' });
      await setProgressDeadline(namespace.cluster, 600);
      await placement.takeOut('source', SIGNAL);
    });

    test('a StatefulSet that does not become ready without the proxy: its stuck pod goes, and it goes on through it', async () => {
      const readyIf = 'case "$DATABASE_URL" in *pg-target*) exit 1;; esac';
      const ref = await startApplication(namespace.cluster, { ...inMap, readyIf, workload: 'StatefulSet' });
      const placement = placementOf(byUrl, { workload: 'StatefulSet' });
      await placement.putIn('source', SIGNAL);
      const impatient = placementOf(byUrl, { workload: 'StatefulSet', rolloutTimeoutMs: 5_000 });
      await expect(impatient.takeOut('target', SIGNAL)).rejects.toMatchObject({
        ...{ code: 'rollout_stuck', exitCode: 6 },
        message: expect.stringMatching(/statefulset\/app .*after 5 s/),
      });
      expect((await dataOf(ref)).DATABASE_URL).toContain('@pgglide-placement-proxy:5432');
      expect(await told(namespace.cluster)).not.toContain('pg-target');
      expect(await placement.observe()).toMatchObject({ place: 'in' });
      await placement.takeOut('source', SIGNAL);
      expect(await dataOf(ref)).toEqual(inMap.data);
    });

    test('an application that is in already stays in, ill or not, whatever fails; half-way out it goes back to the active side', async () => {
      const ref = await startApplication(namespace.cluster, inMap);
      const placement = placementOf(byUrl);
      await placement.putIn('source', SIGNAL);
      const before = { data: await dataOf(ref), template: await template() };
      // Not one of its pods counts as available any more.
      await setProgressDeadline(namespace.cluster, 7200);
      await namespace.cluster.patch(APP, () => ({ spec: { minReadySeconds: 3600 } }));
      expect(await placement.observe()).toEqual({ place: 'in', waitingFor: undefined });
      const withoutImage = placementOf(byUrl, { image: 'nobody.example/pgglide:1' });
      const stuck = { code: 'rollout_stuck', exitCode: 6 };
      await expect(withoutImage.putIn('target', SIGNAL)).rejects.toMatchObject(stuck);
      expect({ data: await dataOf(ref), template: await template() }).toEqual(before);

      await namespace.cluster.patch(APP, () => ({ spec: { minReadySeconds: null } }));
      await expect(placement.takeOut('target', AbortSignal.abort())).rejects.toThrow();
      await expect(withoutImage.putIn('target', SIGNAL)).rejects.toMatchObject(stuck);
      expect((await dataOf(ref)).DATABASE_URL).toContain('@pg-target:');
      expect(await told(namespace.cluster)).toContain('@pg-target:');
      expect(await placement.observe()).toEqual({ place: 'out', waitingFor: undefined });
    });

    test('whoever replaces the ConfigMap does not leave the pods behind proxies that go', async () => {
      const ref = await startApplication(namespace.cluster, inMap);
      const placement = placementOf(byUrl);
      await placement.putIn('source', SIGNAL);
      await namespace.cluster.patch<V1ConfigMap>(ref, ({ metadata }) => ({
        metadata: {
          annotations: Object.fromEntries(Object.keys(metadata?.annotations ?? {}).map((key) => [key, null])),
        },
        data: inMap.data,
      }));
      expect(await placement.observe()).toMatchObject({ place: 'between' });
      await placement.takeOut('target', SIGNAL);
      expect((await dataOf(ref)).DATABASE_URL).toContain('@pg-target:');
      expect(await told(namespace.cluster)).toContain('@pg-target:');
      expect(await placement.observe()).toEqual({ place: 'out', waitingFor: undefined });
    });

    test('two migrations on one application: the second is refused', async () => {
      await startApplication(namespace.cluster, inMap);
      const first = placementOf(byUrl);
      await first.putIn('source', SIGNAL);
      await expect(placementOf(byUrl, { migration: 'other' }).putIn('source', SIGNAL)).rejects.toMatchObject({
        code: 'application_taken',
        exitCode: 7,
        message: expect.stringContaining('"placement"'),
      });
      await first.takeOut('source', SIGNAL);
    });

    const podUids = async () =>
      (await applicationPods(namespace.cluster)).map(({ metadata }) => metadata?.uid);
  });
});
