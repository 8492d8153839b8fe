/**
 * The TrafficSwitch over the proxies that stand on a cluster: each pod's control API is reached through the API server,
 * over one kept connection a pod, and all of them do a thing or none does (proxy-switch.ts).
 */

import type { V1Pod } from '@kubernetes/client-node';
import { allEnded } from '../base/async.ts';
import { SwitchoverAbortedError, UnreachableError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import type { KubernetesPlacement } from './kubernetes-placement.ts';
import { CONTROL_PORT, proxyDeployment, proxyLabels } from './kubernetes-proxy-objects.ts';
import { openProxySwitch } from './proxy-switch.ts';
import type { ExpectedIdentity } from './stray-identity.ts';
import type { TrafficState, TrafficSwitch } from './traffic-switch.ts';

export interface KubernetesSwitchOptions {
  readonly migration: string;
  readonly owner: string;
  readonly openCluster: () => Promise<Cluster>;
  readonly placement: KubernetesPlacement;
  /** The pods are found by the migration's name; which servers they were put in for, they say themselves. */
  readonly expected?: ExpectedIdentity | undefined;
}

interface Proxies {
  readonly pods: readonly string[];
  readonly traffic: TrafficSwitch;
}

export class KubernetesSwitch implements TrafficSwitch {
  readonly #options: KubernetesSwitchOptions;
  #cluster: Promise<Cluster> | undefined;
  #found: Proxies | undefined;

  constructor(options: KubernetesSwitchOptions) {
    this.#options = options;
  }

  /** Before the proxies are put in there is nothing to ask: then it says whether they could be. */
  async observe(): Promise<TrafficState> {
    const cluster = await this.#open();
    const { migration, placement } = this.#options;
    if ((await cluster.read(proxyDeployment(migration))) !== undefined) {
      const state = await (await this.#look()).observe();
      return {
        ...state,
        description: `${this.#found?.pods.length} proxies on the cluster, ${state.sessions} sessions`,
      };
    }
    const { host, port } = await placement.check();
    const description = `proxies are put in when they are needed; the application is at ${host}${port ? `:${port}` : ''}`;
    return { activeSide: 'source', epoch: 0, paused: false, sessions: 0, description };
  }

  /** The pods of this moment are those of the whole switch. */
  async prepare(to: Side): ReturnType<TrafficSwitch['prepare']> {
    return (await this.#look()).prepare(to);
  }

  async pause(options: Parameters<TrafficSwitch['pause']>[0]): ReturnType<TrafficSwitch['pause']> {
    return (await this.#known()).pause(options);
  }

  async renew(leaseMs: number): Promise<void> {
    await (await this.#known()).renew(leaseMs);
  }

  /** @throws {SwitchoverAbortedError} `proxies_changed`: a pod that was started meanwhile holds nobody back */
  async committing(to: Side, epoch: number): Promise<void> {
    const traffic = await this.#known();
    // That a pod was replaced is told rather than that it does not answer: both are found at once.
    await allEnded([this.#assertSamePods(), traffic.committing(to, epoch)]);
  }

  /** A pod that is gone needs nothing; those of the pause that are left must answer. */
  async resume(side: Side, epoch: number): ReturnType<TrafficSwitch['resume']> {
    const before = this.#found?.pods;
    if (before === undefined) return (await this.#look()).resume(side, epoch);
    const resumed = await (await this.#known()).resume(side, epoch).catch(async (error: unknown) => {
      const stayed = (await this.#pods()).filter((pod) => before.includes(pod));
      if (!(error instanceof UnreachableError) || stayed.length === before.length) throw error;
      if (stayed.length === 0) return (await this.#look()).resume(side, epoch);
      await using traffic = await this.#openOver(stayed);
      return await traffic.resume(side, epoch);
    });
    await this.#resumeNewcomers(side, epoch);
    return resumed;
  }

  /** A pod that came in the pause holds nobody; where it does not hear us yet it follows the row by itself. */
  async #resumeNewcomers(side: Side, epoch: number): Promise<void> {
    try {
      if (!(await this.#hasSamePods())) await (await this.#look()).resume(side, epoch);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
    }
  }

  /** Of all pods that run; 0 when there are none. */
  async countSessions(): Promise<number> {
    if ((await this.#pods()).length === 0) return 0;
    return (await (await this.#look()).observe()).sessions;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#found?.traffic[Symbol.asyncDispose]();
    this.#found = undefined;
  }

  #open(): Promise<Cluster> {
    this.#cluster ??= this.#options.openCluster();
    return this.#cluster;
  }

  async #known(): Promise<TrafficSwitch> {
    return this.#found?.traffic ?? (await this.#look());
  }

  /** @throws {UnreachableError} `proxy_unreachable`: none runs */
  async #look(): Promise<TrafficSwitch> {
    const pods = await this.#pods();
    if (pods.length === 0) {
      throw new UnreachableError('proxy_unreachable', 'No proxy of this migration runs on the cluster', {
        hint: 'pgglide rehearse puts them in, and so does pgglide cutover.',
      });
    }
    if (this.#found !== undefined && isSame(this.#found.pods, pods)) return this.#found.traffic;
    const traffic = await this.#openOver(pods);
    await this[Symbol.asyncDispose]();
    this.#found = { pods, traffic };
    return traffic;
  }

  async #openOver(pods: readonly string[]): Promise<TrafficSwitch> {
    const cluster = await this.#open();
    const connect = (pod: string) => cluster.connect(pod, CONTROL_PORT);
    return openProxySwitch(pods, this.#options.owner, { connect }, this.#options.expected);
  }

  /** All that may have sessions, those that are being ended too. */
  async #pods(): Promise<string[]> {
    const labels = Object.entries(proxyLabels(this.#options.migration)).map((pair) => pair.join('='));
    const pods = await (await this.#open()).list<V1Pod>(
      { apiVersion: 'v1', kind: 'Pod' },
      { labels: labels.join(',') },
    );
    return pods.filter(runs).map((pod) => pod.metadata?.name ?? '');
  }

  async #hasSamePods(): Promise<boolean> {
    return isSame(this.#found?.pods ?? [], await this.#pods());
  }

  async #assertSamePods(): Promise<void> {
    if (await this.#hasSamePods()) return;
    throw new SwitchoverAbortedError('proxies_changed', 'A proxy was replaced during the switch', {
      hint: 'Nothing was switched. Try again when no proxy is being restarted.',
    });
  }
}

/** Started, whether ready or not. */
const runs = ({ status }: V1Pod): boolean =>
  status?.containerStatuses?.some(({ state }) => state?.running !== undefined) ?? false;

const isSame = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((each) => others.includes(each));
