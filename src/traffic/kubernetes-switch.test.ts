import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, expect, test } from 'vitest';
import { UnreachableError } from '../domain/errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import type { KubernetesPlacement } from './kubernetes-placement.ts';
import { KubernetesSwitch } from './kubernetes-switch.ts';

const servers: http.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A pod's control API. @returns its port */
async function startPod(name: string, told: string[]): Promise<number> {
  const server = http.createServer((request, response) => {
    told.push(`${name} ${request.url}`);
    const waits = { heldRequests: 1, failedRequests: 0, longestWaitMs: 0, sessionsMoved: 0 };
    const resumed = { holds: [], pauseMs: 7, waits: { ...waits, p50Ms: 0, p95Ms: 0, p99Ms: 0 } };
    response.end(JSON.stringify({ ...resumed, ready: 1, failures: [], obstacles: [] }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** `pods`: those that run now; one without a port does not listen yet. */
function switchOver(pods: Map<string, number | undefined>, list: () => void = () => undefined) {
  const asListed = (name: string): V1Pod => ({
    metadata: { name },
    status: { containerStatuses: [{ name: 'proxy', state: { running: {} } }] as never },
  });
  const cluster = {
    list: async () => {
      list();
      return [...pods.keys()].map(asListed);
    },
    connect: async (pod: string) => {
      const port = pods.get(pod);
      if (port === undefined) throw new UnreachableError('cluster_failed', `${pod}: connection refused`);
      return connect(port, '127.0.0.1');
    },
  } as unknown as Cluster;
  return new KubernetesSwitch({
    migration: 'm',
    owner: 'test',
    openCluster: async () => cluster,
    placement: undefined as unknown as KubernetesPlacement,
  });
}

test('a pod that started in the pause and does not listen yet keeps nobody from going on', async () => {
  const told: string[] = [];
  const pods = new Map<string, number | undefined>([['a', await startPod('a', told)]]);
  await using traffic = switchOver(pods);
  await traffic.prepare('target');
  pods.set('b', undefined);
  expect(await traffic.resume('source', 0)).toMatchObject({ pauseMs: 7 });
  expect(told).toContain('a /v1/resume');
});

test.each([
  { what: 'goes on', isWell: true },
  { what: 'must have answered', isWell: false },
])(
  'a pod that was replaced in the pause: its successor need not listen, the other one $what',
  async ({ isWell }) => {
    const told: string[] = [];
    const pods = new Map<string, number | undefined>([
      ['a', await startPod('a', told)],
      ['b', await startPod('b', told)],
    ]);
    await using traffic = switchOver(pods);
    await traffic.prepare('target');
    for (const server of servers) server.closeAllConnections();
    pods.delete('b');
    pods.set('c', undefined);
    if (!isWell) pods.set('a', undefined);
    const resumed = traffic.resume('source', 0);
    if (isWell) expect(await resumed).toMatchObject({ pauseMs: 7 });
    else await expect(resumed).rejects.toMatchObject({ code: 'proxy_unreachable' });
  },
);

test('an API server that does not list the pods takes nothing back from those that go on', async () => {
  const told: string[] = [];
  const pods = new Map<string, number | undefined>([['a', await startPod('a', told)]]);
  let isWell = true;
  await using traffic = switchOver(pods, () => {
    if (!isWell) throw new UnreachableError('cluster_failed', 'the API server answered 429');
  });
  await traffic.prepare('target');
  isWell = false;
  expect(await traffic.resume('target', 1)).toMatchObject({ pauseMs: 7 });
});

test('a pod that came in the pause is told, too', async () => {
  const told: string[] = [];
  const pods = new Map<string, number | undefined>([['a', await startPod('a', told)]]);
  await using traffic = switchOver(pods);
  await traffic.prepare('target');
  pods.set('b', await startPod('b', told));
  await traffic.resume('target', 1);
  expect(told).toContain('b /v1/resume');
});
