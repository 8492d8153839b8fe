/** A namespace of a test's own on the cluster that KUBECONFIG names. Without a cluster `onCluster` skips its tests. */

import { randomBytes } from 'node:crypto';
import { describe, inject } from 'vitest';
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
  return {
    cluster,
    name,
    [Symbol.asyncDispose]: async () => {
      await cluster.remove({ apiVersion: 'v1', kind: 'Namespace', name });
    },
  };
}

/** An object as one would write it in YAML. */
export const manifest = (object: Record<string, unknown>): NamedObject => object as unknown as NamedObject;
