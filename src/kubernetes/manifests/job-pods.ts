import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster.ts';

/** Oldest first. */
export async function podsOfJob(cluster: Cluster, job: string): Promise<V1Pod[]> {
  const pods = await cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels: `job-name=${job}` });
  const at = (pod: V1Pod) => Number(pod.metadata?.creationTimestamp ?? 0);
  return pods.sort((one, other) => at(one) - at(other));
}
