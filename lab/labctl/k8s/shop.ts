/** The shop's pods: pointed at another database, and compared with what setup put there. */

import type { ShopAddress } from '../backend.ts';
import type { Paths } from '../folder.ts';
import { clusterOf, clusterRecordOf } from './cluster-record.ts';
import { type Cluster, find, kubectl, list } from './kubectl.ts';
import { containerHash, isReady, type Pod, untilReady } from './pods.ts';

const SHOP = 'shop';
export const SHOP_PORT = 8080;
const REPLICAS = 2;

/** What a learner does with kubectl: the ConfigMap, a rolling restart, and the wait for the last old pod's end. */
export async function pointShopAt(
  paths: Paths,
  { host, port, preparedStatements = true }: ShopAddress,
): Promise<void> {
  const cluster = clusterOf(clusterRecordOf(paths));
  const data = {
    PGHOST: host,
    PGPORT: String(port),
    SHOP_PREPARED_STATEMENTS: preparedStatements ? 'on' : 'off',
  };
  await kubectl(cluster, ['patch', 'configmap/shop-db', '-p', JSON.stringify({ data })]);
  await kubectl(cluster, ['rollout', 'restart', `deployment/${SHOP}`]);
  await untilReady(cluster, 'deployment', SHOP);
}

interface Endpoints {
  readonly subsets?: readonly {
    readonly addresses?: readonly { readonly ip: string; readonly targetRef?: { readonly name: string } }[];
  }[];
}

export interface Replicas {
  /** Names of the pods that answer for the Service. */
  readonly pods: readonly string[];
  readonly strangers: readonly string[];
}

/** Who serves the shop's address, and whether each is what setup deployed. */
export async function replicasOf(cluster: Cluster, shopHash: string): Promise<Replicas> {
  const [endpoints, pods] = await Promise.all([
    find<Endpoints>(cluster, `endpoints/${SHOP}`),
    list<Pod>(cluster, 'pods'),
  ]);
  const addresses = (endpoints?.subsets ?? []).flatMap((subset) => subset.addresses ?? []);
  const strangers: string[] = [];
  const found: string[] = [];
  for (const { ip, targetRef } of addresses) {
    const pod = pods.find(({ metadata }) => metadata.name === targetRef?.name);
    if (pod !== undefined) found.push(pod.metadata.name);
    if (pod === undefined || shopHashOf(pod) !== shopHash)
      strangers.push(`${targetRef?.name ?? ip} answers for the shop and is not the shop that setup deployed`);
  }
  if (found.length < REPLICAS)
    strangers.push(`only ${found.length} of ${REPLICAS} replicas of the shop serve`);
  return { pods: found, strangers };
}

export const shopHashOf = (pod: Pod): string => containerHash(pod, SHOP, false);

export async function readyShopPod(cluster: Cluster): Promise<Pod | undefined> {
  return (await list<Pod>(cluster, 'pods', `app=${SHOP}`)).find(isReady);
}
