/** The one place that loads Kubernetes' client library: it is large, and most migrations never need it. */

export type KubernetesClient = typeof import('@kubernetes/client-node');

export const loadKubernetesClient = (): Promise<KubernetesClient> => import('@kubernetes/client-node');
