/** A Secret through the API, where it is not mounted: on somebody's own machine, or from another namespace. */

import type { V1Secret } from '@kubernetes/client-node';
import type { SecretContent, SecretRef } from '../config/secret.ts';
import { openCluster } from './cluster.ts';
import type { ClusterChoice, Environment } from './kubeconfig.ts';

/** @throws {PgglideError} `cluster_*`, `kubeconfig_invalid`, `context_unknown` */
export async function readClusterSecret(
  { name, namespace }: SecretRef,
  choice: ClusterChoice,
  env: Environment,
): Promise<SecretContent> {
  const cluster = await openCluster(choice, env);
  const { data = {} } = await cluster.require<V1Secret>({
    apiVersion: 'v1',
    kind: 'Secret',
    name,
    namespace,
  });
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
