/** The lab's namespace: made by setup, marked as this lab's, and never another's. */

import { LabError } from '../folder.ts';
import { type Cluster, find, type KubeObject, kubectl } from './kubectl.ts';

const OWNER = 'pgglide.dev/lab';
const SEEDED = 'pgglide.dev/seeded';

interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string };
}

/** @throws {LabError} it belongs to someone else */
export async function ensureNamespace(cluster: Cluster, labId: string): Promise<'made' | 'there'> {
  const { namespace } = cluster;
  const found = await find<Namespace>(cluster, `namespace/${namespace}`);
  if (found === undefined) {
    const object = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, annotations: { [OWNER]: labId } },
    };
    await kubectl(cluster, ['create', '-f', '-'], { input: JSON.stringify(object) });
    return 'made';
  }
  const owner = found.metadata.annotations?.[OWNER];
  const elsewhere = 'Take another with --namespace';
  if (owner === undefined)
    throw new LabError(`Namespace ${namespace} is there already, and is not a lab's. ${elsewhere}`);
  if (owner !== labId)
    throw new LabError(
      `Namespace ${namespace} belongs to another lab (${owner}): end that one with its own --dir and --down. ${elsewhere}`,
    );
  if (found.status?.phase === 'Terminating')
    throw new LabError(`Namespace ${namespace} is being removed: try again when it is gone`);
  return 'there';
}

export async function isSeeded(cluster: Cluster): Promise<boolean> {
  const found = await find(cluster, `namespace/${cluster.namespace}`);
  return found?.metadata.annotations?.[SEEDED] !== undefined;
}

export const markSeeded = (cluster: Cluster): Promise<string> =>
  kubectl(cluster, ['annotate', `namespace/${cluster.namespace}`, `${SEEDED}=true`]);

/** Waits until it is gone. One that is not this lab's stays. */
export async function removeNamespace(cluster: Cluster, labId: string): Promise<void> {
  const found = await find(cluster, `namespace/${cluster.namespace}`);
  if (found?.metadata.annotations?.[OWNER] !== labId) return;
  // The customer first: a shop that is asked to stop waits for its clients.
  await kubectl(cluster, ['delete', 'deployment/loadgen', '--ignore-not-found', '--wait=false']);
  await kubectl(cluster, ['delete', 'pods', '-l', 'app=loadgen', '--grace-period=1', '--wait=false']);
  await kubectl(cluster, ['delete', `namespace/${cluster.namespace}`, '--timeout=170s'], {
    timeoutMs: 180_000,
  });
}
