/** A namespace of a test's own on the cluster that KUBECONFIG names. Without a cluster `onCluster` skips its tests. */

import { randomBytes } from 'node:crypto';
import { CoreV1Api, KubeConfig, KubernetesObjectApi, type V1Pod } from '@kubernetes/client-node';
import { describe, inject } from 'vitest';
import { until } from '../../src/base/async.ts';
import { type Cluster, type NamedObject, openCluster } from '../../src/kubernetes/cluster.ts';

export const onCluster: typeof describe = (
  inject('kubeconfig') === undefined ? describe.skip : describe
) as typeof describe;

export interface TestNamespace extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly name: string;
}

/** Such as `pgglide-test-3f9a1c07`; it goes with all that is in it. */
export async function openNamespace(): Promise<TestNamespace> {
  const name = `pgglide-test-${randomBytes(4).toString('hex')}`;
  const cluster = await openCluster({ namespace: name });
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await untilPodsAreTaken(name);
  return {
    cluster,
    name,
    [Symbol.asyncDispose]: async () => {
      await cluster.remove({ apiVersion: 'v1', kind: 'Namespace', name });
    },
  };
}

/**
 * A new namespace refuses pods until its service account, and in older clusters that one's token, has come to be.
 * Controllers try again; who creates a pod himself must wait. Whether one is taken is what a dry run tells.
 */
async function untilPodsAreTaken(namespace: string): Promise<void> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const objects = KubernetesObjectApi.makeApiClient(config);
  const pod: V1Pod = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'dry-run', namespace } },
    spec: { containers: [{ name: 'none', image: 'none' }] },
  };
  let refusal: unknown;
  const isTaken = () =>
    objects.create(pod, undefined, 'All').then(
      () => true,
      (error: unknown) => {
        refusal = error;
        return undefined;
      },
    );
  await until('the namespace takes pods', isTaken, { timeoutMs: 60_000, intervalMs: 50 }).catch((late) => {
    throw new Error(`${late}: ${refusal}`);
  });
}

/** Without a warning: its containers are killed. */
export async function killPod(namespace: string, name: string): Promise<void> {
  const config = new KubeConfig();
  config.loadFromDefault();
  await config.makeApiClient(CoreV1Api).deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });
}

/** An object as one would write it in YAML. */
export const manifest = (object: Record<string, unknown>): NamedObject => object as unknown as NamedObject;
