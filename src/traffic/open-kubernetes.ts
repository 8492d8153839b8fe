/** The traffic switch on a cluster, with what puts it in and takes it out. */

import { ownVersion } from '../base/own-version.ts';
import type { Settings } from '../config/settings.ts';
import { UsageError } from '../domain/errors.ts';
import { type Cluster, openCluster } from '../kubernetes/cluster.ts';
import { KubernetesPlacement } from './kubernetes-placement.ts';
import { KubernetesSwitch } from './kubernetes-switch.ts';
import type { ExpectedIdentity } from './stray-identity.ts';

export interface KubernetesTrafficParts {
  readonly traffic: KubernetesSwitch;
  readonly placement: KubernetesPlacement;
}

/** Nothing is asked of the cluster yet. `clusters`: the database servers' identifiers; proxies that lead elsewhere are not used. @throws {UsageError} `no_traffic_switch` */
export function openKubernetes(
  settings: Pick<Settings, 'kubernetes' | 'traffic' | 'proxy'>,
  migration: string,
  clusters?: ExpectedIdentity['clusters'],
): KubernetesTrafficParts {
  const { application } = settings.traffic.kubernetes;
  if (application === undefined) {
    throw new UsageError('no_traffic_switch', 'No application on the cluster is named', {
      hint: 'Set traffic.kubernetes.configMap (or secret), its keys, and workloads.',
    });
  }
  let opened: Promise<Cluster> | undefined;
  const open = () => {
    opened ??= openCluster(settings.kubernetes);
    return opened;
  };
  const placement: KubernetesPlacement = new KubernetesPlacement({
    migration,
    traffic: settings.traffic.kubernetes,
    application,
    immovable: settings.proxy.immovable,
    version: ownVersion(),
    openCluster: open,
    countSessions: () => traffic.countSessions(),
  });
  const traffic = new KubernetesSwitch({
    migration,
    owner: `pgglide:${migration}:${process.pid}`,
    openCluster: open,
    placement,
    expected: clusters && { migration, clusters },
  });
  return { traffic, placement };
}
