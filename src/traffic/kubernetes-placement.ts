/**
 * Puts our proxy between an application and its database on a cluster, and takes it out again. The application knows
 * nothing of it but a ConfigMap or a Secret: that is changed, and its workloads are restarted a pod at a time.
 *
 * What is true is read from the cluster: whose the ConfigMap is stands on it, with where it pointed before; which pods
 * have read it stands on their template. So the same command after a crash goes on where it stopped.
 */

import { readFileSync } from 'node:fs';
import type { V1Pod } from '@kubernetes/client-node';
import { DeadlineError, until } from '../base/async.ts';
import { messageOf } from '../base/message-of.ts';
import { authoritiesFile, type ServerAddress } from '../config/server-address.ts';
import type { KubernetesApplication, KubernetesTraffic } from '../config/settings.ts';
import {
  PrerequisiteError,
  SwitchoverAbortedError,
  UnprovenError,
  UnreachableError,
} from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Cluster, ObjectRef } from '../kubernetes/cluster.ts';
import { clusterFeatures } from '../kubernetes/manifests/cluster-features.ts';
import type { Endpoint } from './database-endpoint.ts';
import {
  assertChangeable,
  currentEndpoint,
  type Holder,
  letGo,
  originalEndpoint,
  ownerOf,
  pointAt,
  pointAtProxy,
  reads,
  refuseTaken,
  sameEndpoint,
  THROUGH_PROXY,
} from './kubernetes-application.ts';
import {
  awaitRollout,
  type RolloutOptions,
  type WorkloadRef,
  workloadText,
} from './kubernetes-await-rollout.ts';
import {
  proxyDeployment,
  proxyEndpoint,
  proxyName,
  proxyObjects,
  proxyRefs,
} from './kubernetes-proxy-objects.ts';
import { trafficRights } from './kubernetes-rights.ts';
import { isReplaced, rolloutState, type Workload } from './kubernetes-rollout.ts';
import type { PlacementState, TrafficPlacement } from './traffic-placement.ts';

const APPS = 'apps/v1';
const LEAVE_TIMEOUT_MS = 60_000;
/** However little patience there is with a rollout, pods must be given the time to end. */
const UNDO_LEAST_TIMEOUT_MS = 180_000;

export interface KubernetesPlacementOptions {
  readonly migration: string;
  readonly traffic: KubernetesTraffic;
  readonly application: KubernetesApplication;
  readonly immovable: string;
  /** Of the image, when none is named. */
  readonly version: string;
  readonly openCluster: () => Promise<Cluster>;
  /** Client sessions that the proxies have now. */
  readonly countSessions: () => Promise<number>;
}

export class KubernetesPlacement implements TrafficPlacement {
  readonly #options: KubernetesPlacementOptions;
  #cluster: Promise<Cluster> | undefined;

  constructor(options: KubernetesPlacementOptions) {
    this.#options = options;
  }

  describe(direction: 'in' | 'out'): readonly string[] {
    const { application, migration, traffic } = this.#options;
    const restart = `restart ${application.workloads.map(workloadText).join(', ')}, a pod at a time`;
    const holder = `${application.kind} ${application.name}`;
    return direction === 'in'
      ? [
          `deployment/${proxyName(migration)} with ${traffic.replicas} proxies and its Service`,
          `${holder}: point the application at them`,
          restart,
        ]
      : [`${holder}: point the application at the database`, restart, `remove ${proxyName(migration)}`];
  }

  async observe(): Promise<PlacementState> {
    const cluster = await this.#open();
    const { application, migration } = this.#options;
    const [holder, proxy] = await Promise.all([
      cluster.require<Holder>(this.#holder),
      cluster.read<Workload>(proxyDeployment(migration)),
    ]);
    refuseTaken(application, holder, migration);
    if (ownerOf(holder) !== migration && proxy === undefined) return { place: 'out', waitingFor: undefined };
    const areReady = proxy !== undefined && rolloutState(proxy).is === 'done';
    const waitingFor = areReady ? await this.#notThrough(holder) : workloadText(proxyDeployment(migration));
    return { place: waitingFor === undefined ? 'in' : 'between', waitingFor };
  }

  /**
   * What does not lead through the proxies; undefined: everything does. Pods that are not ready are no matter of ours: an
   * application that does not get on with the new server is what people roll back for.
   */
  async #notThrough(holder: Holder): Promise<string | undefined> {
    const { application, migration } = this.#options;
    if (!this.#isPointed(holder)) return `${application.kind} ${application.name}`;
    for (const ref of application.workloads) {
      const workload = await this.#workload(ref);
      if (markOf(workload) !== migration || !isReplaced(workload)) return workloadText(ref);
    }
    return undefined;
  }

  #isPointed(holder: Holder): boolean {
    const { application, migration } = this.#options;
    return (
      ownerOf(holder) === migration &&
      sameEndpoint(currentEndpoint(application, holder), proxyEndpoint(migration))
    );
  }

  /** Everything that can be known before anything is changed. Reads only. */
  async check(): Promise<Endpoint> {
    return currentEndpoint(this.#options.application, await this.#checkedHolder());
  }

  async #checkedHolder(): Promise<Holder> {
    const cluster = await this.#open();
    const { application, migration, traffic } = this.#options;
    await cluster.requireRights(trafficRights(application, migration));
    const holder = await cluster.require<Holder>(this.#holder);
    refuseTaken(application, holder, migration);
    assertChangeable(application, holder, traffic.tlsSecret !== undefined);
    for (const ref of application.workloads) this.#assertReads(ref, await this.#workload(ref));
    return holder;
  }

  async putIn(active: Side, signal: AbortSignal): Promise<void> {
    const holder = await this.#checkedHolder();
    const wasIn = (await this.#notThrough(holder)) === undefined;
    const { migration } = this.#options;
    try {
      if (!this.#isPointed(holder)) await this.#unmark(signal);
      await this.#startProxies(signal);
      await this.#pointAtProxy(active);
      await this.#mark(migration);
      await this.#awaitWorkloads({ signal, isNew: isMarkedBy(migration) });
    } catch (error) {
      // Stopped by a signal it stays half-way: the same command goes on from there.
      if (!signal.aborted && !wasIn) await undone(error, this.#undoPutIn(active));
      throw error;
    }
  }

  async takeOut(active: Side, signal: AbortSignal): Promise<void> {
    const cluster = await this.#open();
    const { application, migration } = this.#options;
    const holder = await cluster.require<Holder>(this.#holder);
    refuseTaken(application, holder, migration);
    // Whoever replaced the whole object took our notes away; the pods still go through the proxies.
    const isOurs = ownerOf(holder) === migration || (await this.#hasMarked());
    if (isOurs) await this.#pointStraight(active, signal);
    await this.#awaitNoSessions(signal);
    await this.#leave();
  }

  get #holder(): ObjectRef {
    const { kind, name } = this.#options.application;
    return { apiVersion: 'v1', kind, name };
  }

  #open(): Promise<Cluster> {
    this.#cluster ??= this.#options.openCluster();
    return this.#cluster;
  }

  async #workload({ kind, name }: WorkloadRef): Promise<Workload> {
    return (await this.#open()).require<Workload>({ apiVersion: APPS, kind, name });
  }

  async #hasMarked(): Promise<boolean> {
    const cluster = await this.#open();
    const { application, migration } = this.#options;
    for (const { kind, name } of application.workloads)
      if (markOf(await cluster.read<Workload>({ apiVersion: APPS, kind, name })) === migration) return true;
    return false;
  }

  #assertReads(ref: WorkloadRef, workload: Workload): void {
    const { application } = this.#options;
    if (reads(application, workload.spec?.template.spec)) return;
    throw new PrerequisiteError(
      'application_not_reading',
      `${workloadText(ref)} does not read ${application.kind} "${application.name}"`,
      {
        hint: 'It would go on past the proxy. Name the object that its pods take as environment or file, or other workloads.',
      },
    );
  }

  async #startProxies(signal: AbortSignal): Promise<void> {
    const cluster = await this.#open();
    const { migration, traffic, version, immovable } = this.#options;
    const image = traffic.image ?? `pgglide:${version}`;
    const objects = proxyObjects({
      migration,
      traffic,
      image,
      immovable,
      disruptionBudget: await this.#disruptionBudget(),
      files: certificateFiles(traffic.servers),
    });
    for (const object of objects) await cluster.apply(object);
    await awaitRollout(cluster, proxyDeployment(migration), {
      timeoutMs: traffic.rolloutTimeoutMs,
      signal,
      isNew: ({ spec }) => spec?.containers[0]?.image === image,
    });
  }

  async #disruptionBudget(): Promise<string> {
    const cluster = await this.#open();
    return clusterFeatures(await cluster.version()).disruptionBudget;
  }

  async #pointAtProxy(active: Side): Promise<void> {
    const cluster = await this.#open();
    const { application, migration } = this.#options;
    const proxy = proxyEndpoint(migration);
    await cluster.patch<Holder>(this.#holder, (holder) =>
      pointAtProxy(application, holder, { migration, proxy, active }),
    );
  }

  /** Changing a pod template restarts its pods as the workload’s own strategy says; with undefined the one before is back. */
  async #mark(migration: string | undefined): Promise<void> {
    const cluster = await this.#open();
    for (const { kind, name } of this.#options.application.workloads) {
      await cluster.patch<Workload>({ apiVersion: APPS, kind, name }, (workload) =>
        markOf(workload) === migration
          ? undefined
          : {
              spec: { template: { metadata: { annotations: { [THROUGH_PROXY]: migration ?? null } } } },
            },
      );
    }
  }

  /** A mark of a way that was broken off proves nothing: its pods may have started while the application was pointed elsewhere. */
  async #unmark(signal: AbortSignal): Promise<void> {
    await this.#mark(undefined);
    await this.#awaitWorkloads({ signal, isNew: isUnmarked });
  }

  async #awaitWorkloads(how: Pick<RolloutOptions, 'signal' | 'isNew' | 'isUndo'>): Promise<void> {
    const cluster = await this.#open();
    const { application, traffic } = this.#options;
    const leastMs = how.isUndo ? UNDO_LEAST_TIMEOUT_MS : 0;
    const timeoutMs = Math.max(traffic.rolloutTimeoutMs, leastMs);
    for (const ref of application.workloads) await awaitRollout(cluster, ref, { timeoutMs, ...how });
  }

  /** No signal ends an undo: half of it would help nobody. */
  #awaitUndo(isNew: RolloutOptions['isNew']): Promise<void> {
    return this.#awaitWorkloads({ signal: new AbortController().signal, isNew, isUndo: true });
  }

  async #pointStraight(active: Side, signal: AbortSignal): Promise<void> {
    const cluster = await this.#open();
    const { application } = this.#options;
    await cluster.patch<Holder>(this.#holder, (holder) =>
      pointAt(application, holder, this.#database(active, holder)),
    );
    try {
      await this.#unmark(signal);
    } catch (error) {
      if (!signal.aborted) await undone(error, this.#undoPointStraight(active));
      throw error;
    }
  }

  /** The source is where the application says it was: to the letter, whatever name it had for it. */
  #database(active: Side, holder: Holder): Endpoint {
    const { host, port } = this.#options.traffic.servers[active];
    const original = active === 'source' ? originalEndpoint(holder) : undefined;
    return original ?? { host, port: String(port) };
  }

  /** The old pods still run: taking the mark away brings back their template, so that none is started anew. */
  async #undoPutIn(active: Side): Promise<void> {
    const cluster = await this.#open();
    const { application, migration } = this.#options;
    const holder = await cluster.patch<Holder>(this.#holder, (current) =>
      ownerOf(current) === migration
        ? pointAt(application, current, this.#database(active, current))
        : undefined,
    );
    if (ownerOf(holder) === migration || (await this.#hasMarked())) {
      await this.#mark(undefined);
      // Those that came through already may work: the proxies stay until they have ended.
      await this.#awaitUndo(isUnmarked);
      await this.#assertNoSessions();
    }
    await this.#leave();
  }

  async #undoPointStraight(active: Side): Promise<void> {
    await this.#pointAtProxy(active);
    await this.#mark(this.#options.migration);
    await this.#awaitUndo(isMarkedBy(this.#options.migration));
  }

  /**
   * Whoever else found the proxies. Those that hold on longer lose their sessions with them. So do those of a proxy that does
   * not tell: its node is lost, or the server that it asks for the active side.
   * @returns how many hold on
   */
  async #awaitNoSessions(signal: AbortSignal): Promise<number> {
    let left = 0;
    const probe = async () => {
      const told = await this.#options.countSessions().catch(whenNotTold);
      left = told ?? 0;
      return told === 0 ? true : undefined;
    };
    await until('the last sessions of the proxies', probe, {
      timeoutMs: LEAVE_TIMEOUT_MS,
      intervalMs: 500,
      signal,
    }).catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
    return left;
  }

  /** A pod of the old template that started while the application was pointed at the proxies has no mark: it needs them. */
  async #assertNoSessions(): Promise<void> {
    const left = await this.#awaitNoSessions(new AbortController().signal);
    if (left === 0) return;
    throw new SwitchoverAbortedError('rollout_stuck', `${left} sessions still go through the proxies`);
  }

  /** No pod goes through the proxies any more. With our note away first, whoever repeats this never points it at them again. */
  async #leave(): Promise<void> {
    const cluster = await this.#open();
    await cluster.patch<Holder>(this.#holder, (current) =>
      ownerOf(current) === this.#options.migration ? letGo(current) : undefined,
    );
    await this.#removeProxies();
  }

  async #removeProxies(): Promise<void> {
    const cluster = await this.#open();
    const budget = await this.#disruptionBudget();
    for (const ref of proxyRefs(this.#options.migration, budget)) await cluster.remove(ref);
  }
}

function whenNotTold(error: unknown): undefined {
  if (error instanceof UnreachableError || error instanceof UnprovenError) return undefined;
  throw error;
}

/** @throws {SwitchoverAbortedError} `rollout_not_undone` */
async function undone(error: unknown, work: Promise<void>): Promise<void> {
  await work.catch((cause: unknown) => {
    throw new SwitchoverAbortedError(
      'rollout_not_undone',
      `${messageOf(error)} And it could not be put back: ${messageOf(cause)}`,
      {
        hint: 'The application goes on, some pods through the proxies and some past them, all on the same side. Mend the cause, then run the same command again.',
        cause,
      },
    );
  });
}

const markOf = (workload: Workload | undefined): string | undefined =>
  workload?.spec?.template.metadata?.annotations?.[THROUGH_PROXY];
const isMarkedBy =
  (migration: string) =>
  (pod: V1Pod): boolean =>
    pod.metadata?.annotations?.[THROUGH_PROXY] === migration;

const isUnmarked = (pod: V1Pod): boolean => pod.metadata?.annotations?.[THROUGH_PROXY] === undefined;

function certificateFiles(servers: Readonly<Record<Side, ServerAddress>>): ReadonlyMap<string, string> {
  const paths = Object.values(servers).flatMap((address) => [
    authoritiesFile(address),
    address.sslCert,
    address.sslKey,
  ]);
  return new Map(
    paths.flatMap((path) => (path === undefined ? [] : [[path, readFileSync(path, 'utf8')] as const])),
  );
}
