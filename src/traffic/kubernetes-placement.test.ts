import type { V1ConfigMap, V1Deployment, V1Pod } from '@kubernetes/client-node';
import { expect, test, vi } from 'vitest';
import type { KubernetesTraffic } from '../config/settings.ts';
import { UnprovenError, UnreachableError } from '../domain/errors.ts';
import type { Cluster, NamedObject, ObjectRef } from '../kubernetes/cluster.ts';
import { KubernetesPlacement } from './kubernetes-placement.ts';

const PROXY = 'pgglide-m-proxy';
const SIGNAL = new AbortController().signal;

type Annotations = Record<string, string | null>;

/** A cluster with a Deployment of one pod, which reads its database's host when it starts. */
class OneApplication {
  readonly #objects = new Map<string, NamedObject>();
  readonly #template: Annotations = {};
  readonly #config: V1ConfigMap = { data: { HOST: 'pg-source' }, metadata: { annotations: {} } };
  #pod = { host: 'pg-source', annotations: {} as Annotations };
  /** Of the pod's host. */
  isReady = (_host: string): boolean => true;
  /** Throws what the API server is to answer. */
  onCall = (_verb: string, _kind: string): void => undefined;
  /** The proxies went while the pod used them. */
  isBroken = false;

  get hosts() {
    return { config: this.#config.data?.HOST, pod: this.#pod.host };
  }

  get left(): string[] {
    return [...this.#objects.keys()];
  }

  /** By somebody who knows nothing of our notes on it. */
  replaceConfig(host: string): void {
    Object.assign(this.#config, { data: { HOST: host }, metadata: { annotations: {} } });
  }

  /** By itself, as after a crash: its template is the same. */
  restartPod(): void {
    this.#pod = { ...this.#pod, host: this.#config.data?.HOST ?? '' };
  }

  #rollOut(): void {
    const isSame = JSON.stringify(this.#pod.annotations) === JSON.stringify(this.#template);
    if (!isSame) this.#pod = { host: this.#config.data?.HOST ?? '', annotations: { ...this.#template } };
  }

  #deployment(): V1Deployment {
    this.#rollOut();
    const isReady = this.isReady(this.#pod.host);
    const stuck = {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: 'late',
    };
    return {
      kind: 'Deployment',
      metadata: { name: 'app', generation: 1 },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'app' } },
        template: {
          metadata: { annotations: { ...this.#template } as Record<string, string> },
          spec: { containers: [{ name: 'app', envFrom: [{ configMapRef: { name: 'app' } }] }] },
        },
      },
      status: {
        ...{ observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: isReady ? 1 : 0 },
        conditions: isReady ? [] : [stuck],
      },
    };
  }

  async #read(verb: string, { kind, name }: ObjectRef): Promise<object | undefined> {
    this.onCall(verb, kind);
    if (kind === 'ConfigMap') return this.#config;
    return name === 'app' ? this.#deployment() : this.#objects.get(kind);
  }

  readonly cluster = {
    version: async () => 'v1.31.0',
    requireRights: async () => undefined,
    read: (ref: ObjectRef) => this.#read('get', ref),
    require: (ref: ObjectRef) => this.#read('get', ref),
    list: async (_kind: object, { labels }: { labels: string }) =>
      labels === 'app=app' ? [ownedBy('app', this.#pod.annotations as Record<string, string>)] : [],
    apply: async (object: NamedObject & V1Deployment) => {
      this.onCall('apply', object.kind);
      const counts = { replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
      this.#objects.set(object.kind, { ...object, status: counts } as NamedObject);
    },
    patch: async (ref: ObjectRef, change: (current: object) => object | undefined) => {
      const patch = change((await this.#read('get', ref)) ?? {}) as (V1ConfigMap & V1Deployment) | undefined;
      if (patch === undefined) return this.#read('get', ref);
      this.onCall('patch', ref.kind);
      if (ref.kind === 'ConfigMap') {
        Object.assign(this.#config.data ?? {}, patch.data);
        merge(this.#config.metadata?.annotations ?? {}, patch.metadata?.annotations);
      } else merge(this.#template, patch.spec?.template.metadata?.annotations);
      return this.#read('get', ref);
    },
    remove: async ({ kind }: ObjectRef) => {
      this.onCall('delete', kind);
      if (kind === 'Service' && this.#pod.host === PROXY) this.isBroken = true;
      return this.#objects.delete(kind);
    },
  } as unknown as Cluster;
}

function merge(into: Annotations, changes: Annotations = {}): void {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete into[name];
    else into[name] = value;
  }
}

const ownedBy = (name: string, annotations: Record<string, string>): V1Pod => ({
  metadata: {
    annotations: { ...annotations },
    labels: { 'pod-template-hash': 'h' },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${name}-h`, uid: 'u', controller: true },
    ],
  },
});

function placementOf(application: OneApplication, countSessions = async () => 0): KubernetesPlacement {
  const server = (host: string) => ({ host, port: 5432, user: 'u', database: 'd', sslMode: 'disable' });
  const workloads = [{ kind: 'Deployment', name: 'app' }] as const;
  return new KubernetesPlacement({
    migration: 'm',
    application: { kind: 'ConfigMap', name: 'app', keys: { host: 'HOST', port: undefined }, workloads },
    traffic: {
      ...{ replicas: 1, rolloutTimeoutMs: 10_000 },
      servers: { source: server('pg-source'), target: server('pg-target') },
    } as unknown as KubernetesTraffic,
    immovable: 'wait',
    version: '1',
    openCluster: async () => application.cluster,
    countSessions,
  });
}

/** The API server does not answer this call, once. */
function failOnce(application: OneApplication, verb: string, kind: string): void {
  application.onCall = (called, of) => {
    if (called !== verb || of !== kind) return;
    application.onCall = () => undefined;
    throw new UnreachableError('cluster_unreachable', 'no answer');
  };
}

const IN = { place: 'in', waitingFor: undefined };
const OUT = { place: 'out', waitingFor: undefined };

test('once its proxies are being removed the application is not pointed at them again', async () => {
  const application = new OneApplication();
  const placement = placementOf(application);
  await placement.putIn('source', SIGNAL);
  expect(application.hosts).toEqual({ config: PROXY, pod: PROXY });
  failOnce(application, 'delete', 'Deployment');
  await expect(placement.takeOut('target', SIGNAL)).rejects.toMatchObject({ code: 'cluster_unreachable' });
  expect(await placement.observe()).toMatchObject({ place: 'between' });
  // Whatever ails it since then.
  application.isReady = (host) => host === PROXY;
  await placement.takeOut('target', SIGNAL);
  expect(application.hosts).toEqual({ config: 'pg-target', pod: 'pg-target' });
  expect(await placement.observe()).toEqual(OUT);
  expect(application.left).toEqual([]);
});

test('proxies that do not tell their sessions are taken out all the same', async () => {
  const application = new OneApplication();
  const answers = [
    () => Promise.reject(new UnprovenError('proxy_undecided', 'no proxy knows')),
    () => Promise.reject(new UnreachableError('proxy_unreachable', 'on a node that is lost')),
    async () => 0,
  ];
  const placement = placementOf(application, () => (answers.shift() ?? (async () => 0))());
  await placement.putIn('source', SIGNAL);
  await placement.takeOut('source', SIGNAL);
  expect(await placement.observe()).toEqual(OUT);
});

test('a pod that started while the way out was broken off does not count as gone through the proxies', async () => {
  const application = new OneApplication();
  const placement = placementOf(application);
  await placement.putIn('source', SIGNAL);
  const killed = new AbortController();
  application.onCall = (verb, kind) => {
    if (verb === 'patch' && kind === 'Deployment') killed.abort();
    killed.signal.throwIfAborted();
  };
  await expect(placement.takeOut('source', killed.signal)).rejects.toThrow();
  application.onCall = () => undefined;
  application.restartPod();
  expect(application.hosts).toEqual({ config: 'pg-source', pod: 'pg-source' });
  await placement.putIn('source', SIGNAL);
  expect(application.hosts).toEqual({ config: PROXY, pod: PROXY });
  expect(await placement.observe()).toEqual(IN);
});

test('what could not be put back is, by the next command that fails, before the proxies go', async () => {
  const application = new OneApplication();
  const placement = placementOf(application);
  application.isReady = (host) => host !== PROXY;
  let patches = 0;
  application.onCall = (verb, kind) => {
    if (verb === 'patch' && kind === 'Deployment' && ++patches === 2)
      throw new UnreachableError('cluster_unreachable', 'no answer');
  };
  await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({ code: 'rollout_not_undone' });
  expect(application.hosts).toEqual({ config: 'pg-source', pod: PROXY });
  failOnce(application, 'apply', 'Service');
  await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({ code: 'cluster_unreachable' });
  expect(application.hosts).toEqual({ config: 'pg-source', pod: 'pg-source' });
  expect(application.isBroken).toBe(false);
  expect(await placement.observe()).toEqual(OUT);
});

test('whoever replaced the ConfigMap: a command that fails does not take the proxies from under the pods', async () => {
  const application = new OneApplication();
  const placement = placementOf(application);
  await placement.putIn('source', SIGNAL);
  application.replaceConfig('pg-source');
  failOnce(application, 'patch', 'Deployment');
  await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({ code: 'cluster_unreachable' });
  expect(application.hosts).toEqual({ config: 'pg-source', pod: 'pg-source' });
  expect(application.isBroken).toBe(false);
  expect(await placement.observe()).toEqual(OUT);
});

// Its container crashed behind the change of the ConfigMap: it has no mark, and reads the proxies' address.
test('what went through the proxies by itself is not left without them', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const application = new OneApplication();
    const placement = placementOf(application, async () => {
      vi.advanceTimersByTime(70_000);
      return application.hosts.pod === PROXY ? 1 : 0;
    });
    application.onCall = (verb, kind) => {
      if (verb !== 'patch' || kind !== 'Deployment') return;
      application.restartPod();
      application.onCall = () => undefined;
      throw new UnreachableError('cluster_failed', '500');
    };
    await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({ code: 'rollout_not_undone' });
    expect(application.hosts).toEqual({ config: 'pg-source', pod: PROXY });
    expect(application.isBroken).toBe(false);
    await placement.putIn('source', SIGNAL);
    expect(await placement.observe()).toEqual(IN);
    await placement.takeOut('source', SIGNAL);
    expect(application.isBroken).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test('they are out only when nothing of them is left', async () => {
  const application = new OneApplication();
  const placement = placementOf(application);
  application.onCall = (verb, kind) => {
    if (verb === 'apply' && kind === 'PodDisruptionBudget')
      throw new UnreachableError('cluster_failed', '500');
    if (verb === 'delete' && kind === 'Secret') throw new UnreachableError('cluster_failed', '500');
  };
  await expect(placement.putIn('source', SIGNAL)).rejects.toMatchObject({ code: 'rollout_not_undone' });
  application.onCall = () => undefined;
  expect(await placement.observe()).toMatchObject({ place: 'between' });
  await placement.takeOut('source', SIGNAL);
  expect(application.left).toEqual([]);
  expect(await placement.observe()).toEqual(OUT);
});
