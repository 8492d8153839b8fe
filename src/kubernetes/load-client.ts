/** The one place that loads Kubernetes' client library: it is large, and most migrations never need it. */

export type KubernetesClient = typeof import('@kubernetes/client-node');

export const loadKubernetesClient = (): Promise<KubernetesClient> => import('@kubernetes/client-node');

/** As Leases and Events carry it: microseconds. */
export async function microTime(at: Date): Promise<InstanceType<KubernetesClient['V1MicroTime']>> {
  const { V1MicroTime } = await loadKubernetesClient();
  return new V1MicroTime(at);
}
