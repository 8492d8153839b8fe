import { once } from 'node:events';
import http from 'node:http';
import type { V1ConfigMap, V1Pod } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import { openCluster } from '../../src/kubernetes/cluster.ts';
import { manifest, onCluster, openNamespace } from '../support/cluster.ts';
import { limitedUser } from '../support/limited-user.ts';

const map = (name: string, data: Record<string, string>) =>
  manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const ref = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', name });

onCluster('a cluster', () => {
  test('takes objects, tells of them, and lets them go', async () => {
    await using namespace = await openNamespace();
    const { cluster } = namespace;
    expect(await cluster.version()).toMatch(/^v1\.\d+/);
    expect(await cluster.read(ref('a'))).toBeUndefined();
    await cluster.apply(map('a', { one: '1', two: '2' }));
    // Applied anew without a key that we own, the key goes.
    await cluster.apply(map('a', { one: '1' }));
    expect(await cluster.require<V1ConfigMap>(ref('a'))).toMatchObject({ data: { one: '1' } });
    expect((await cluster.list<V1ConfigMap>(ref('a'), { fields: 'metadata.name=a' })).length).toBe(1);
    expect(await cluster.remove(ref('a'))).toBe(true);
    expect(await cluster.remove(ref('a'))).toBe(false);
    expect(await cluster.serves({ apiVersion: 'apps/v1', kind: 'Deployment' })).toBe(true);
    expect(await cluster.serves({ apiVersion: 'nobody.example/v1', kind: 'Deployment' })).toBe(false);
  });

  test('a patch holds for what was seen, and is made anew when that changed', async () => {
    await using namespace = await openNamespace();
    const { cluster } = namespace;
    await cluster.apply(map('count', { n: '0', keep: 'x' }));
    const increment = () =>
      cluster.patch<V1ConfigMap>(ref('count'), ({ data }) => ({ data: { n: String(Number(data?.n) + 1) } }));
    await Promise.all([increment(), increment(), increment()]);
    const { data } = await cluster.require<V1ConfigMap>(ref('count'));
    expect(data).toEqual({ n: '3', keep: 'x' });
    await cluster.patch<V1ConfigMap>(ref('count'), () => ({ data: { keep: null } }));
    expect((await cluster.require<V1ConfigMap>(ref('count'))).data).toEqual({ n: '3' });
  });

  test('a pod’s own loopback is reached, with many requests over one connection', async () => {
    await using namespace = await openNamespace();
    const { cluster } = namespace;
    await cluster.create(server());
    await until(
      'the pod is ready',
      async () => {
        const pod = await cluster.require<V1Pod>({ apiVersion: 'v1', kind: 'Pod', name: 'echo' });
        return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
          ? true
          : undefined;
      },
      { timeoutMs: 180_000, intervalMs: 200 },
    );
    const connection = await cluster.connect('echo', 8080);
    const agent = new http.Agent({ keepAlive: true });
    agent.createConnection = () => connection;
    for (const path of ['/one', '/two', '/three']) expect(await get(agent, path)).toBe(path);
    agent.destroy();
    await expect(cluster.connect('nobody', 8080)).rejects.toMatchObject({ code: 'cluster_object_missing' });
    const silent = await cluster.connect('echo', 8081);
    const [refusal] = (await once(silent.resume(), 'error')) as [Error];
    expect(refusal.message).toContain('connection refused');
  });

  test('a quota that is full is no right that is missing', async () => {
    await using namespace = await openNamespace();
    const { cluster } = namespace;
    const quota = {
      ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' } },
      spec: { hard: { 'count/services': '0' } },
    };
    await cluster.apply(manifest(quota));
    const isCounted = async () => {
      const { status } = (await cluster.require({ ...quota, name: 'none' })) as {
        status?: { hard?: object };
      };
      return status?.hard === undefined ? undefined : true;
    };
    await until('the quota', isCounted, { timeoutMs: 60_000, intervalMs: 100 });
    const service = {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
      spec: { selector: { a: 'b' }, ports: [{ port: 80, protocol: 'TCP' }] },
    };
    await expect(cluster.apply(manifest(service))).rejects.toMatchObject({
      code: 'cluster_refused',
      exitCode: 3,
      message: expect.stringContaining('exceeded quota: none'),
    });
    await using user = await limitedUser(cluster, 'patcher', [
      { verb: 'patch', group: '', resource: 'services' },
    ]);
    const other = await openCluster({ kubeconfig: user.kubeconfig });
    await expect(other.apply(manifest(service))).rejects.toMatchObject({ code: 'cluster_forbidden' });
  });

  test('a right that is missing is named, with the rule that grants it', async () => {
    await using namespace = await openNamespace();
    const own = namespace.cluster;
    await own.apply(map('a', {}));
    await using user = await limitedUser(own, 'reader', [{ verb: 'get', group: '', resource: 'configmaps' }]);
    const cluster = await openCluster({ kubeconfig: user.kubeconfig });
    expect(await cluster.read(ref('a'))).toBeDefined();
    await expect(cluster.patch(ref('a'), () => ({ data: { x: 'y' } }))).rejects.toMatchObject({
      code: 'cluster_forbidden',
      exitCode: 3,
      message: expect.stringContaining('patch configmaps'),
      hint: expect.stringContaining('- { apiGroups: [""], resources: ["configmaps"], verbs: ["patch"] }'),
    });
    await expect(
      cluster.requireRights([
        { verb: 'get', group: '', resource: 'configmaps' },
        { verb: 'create', group: '', resource: 'pods/portforward' },
        { verb: 'patch', group: 'apps', resource: 'deployments' },
      ]),
    ).rejects.toMatchObject({
      code: 'cluster_forbidden',
      facts: { missing: ['create pods/portforward', 'patch deployments.apps'] },
    });
  });
});

const server = () =>
  manifest({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'echo' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'echo',
          image: 'node:20-bookworm-slim',
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', "http.createServer((q, r) => r.end(q.url)).listen(8080, '127.0.0.1')"],
          readinessProbe: {
            exec: {
              command: [
                'node',
                '-e',
                "http.get('http://127.0.0.1:8080', () => process.exit(0)).on('error', () => process.exit(1))",
              ],
            },
            periodSeconds: 1,
            timeoutSeconds: 5,
          },
        },
      ],
    },
  });

function get(agent: http.Agent, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ path, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text)).on('error', reject);
    });
    request.on('error', reject);
  });
}
