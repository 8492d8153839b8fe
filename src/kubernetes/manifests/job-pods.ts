import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster.ts';

/** Oldest first. Its own alone: those of a Job of the same name, which it has replaced, may still be there. */
export async function podsOfJob(cluster: Cluster, { metadata }: V1Job): Promise<V1Pod[]> {
  const pods = await cluster.list<V1Pod>(
    { apiVersion: 'v1', kind: 'Pod' },
    { labels: `job-name=${metadata?.name}` },
  );
  const isOwn = (pod: V1Pod) => pod.metadata?.ownerReferences?.some(({ uid }) => uid === metadata?.uid);
  const at = (pod: V1Pod) => Number(pod.metadata?.creationTimestamp ?? 0);
  return pods.filter(isOwn).sort((one, other) => at(one) - at(other));
}
