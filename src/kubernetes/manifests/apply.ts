/** Our manifests into the cluster, by server-side apply; whatever is there already and the same stays as it is. */

import type { V1Job } from '@kubernetes/client-node';
import { until } from '../../base/async.ts';
import { PgglideError, PrerequisiteError, RefusedError } from '../../domain/errors.ts';
import type { Cluster } from '../cluster.ts';
import { hopelessReason } from '../hopeless-pod.ts';
import { jobEnd } from './job-end.ts';
import { podsOfJob } from './job-pods.ts';
import type { Manifest } from './render.ts';

const GONE_TIMEOUT_MS = 60_000;

/**
 * @param told called for each object that was applied
 * @throws {PrerequisiteError} `namespace_missing`, `cluster_*`
 * @throws {RefusedError} `job_runs`: a Job's pods cannot be changed while it runs
 */
export async function applyManifests(
  cluster: Cluster,
  manifests: readonly Manifest[],
  told: (text: string) => void,
): Promise<void> {
  // Said before anything is changed.
  for (const job of manifests.filter(isJob)) await refuseRunning(cluster, job);
  for (const manifest of manifests) {
    if (isJob(manifest)) await removeEnded(cluster, manifest);
    await applyOne(cluster, manifest);
    told(`${manifest.kind} ${manifest.metadata.namespace}/${manifest.metadata.name}`);
  }
}

const isJob = ({ kind }: Manifest): boolean => kind === 'Job';
const refTo = ({ apiVersion, kind, metadata: { name, namespace } }: Manifest) => ({
  apiVersion,
  kind,
  name,
  namespace,
});

async function applyOne(cluster: Cluster, manifest: Manifest): Promise<void> {
  try {
    await cluster.apply(manifest);
  } catch (error) {
    if (!(error instanceof PgglideError) || error.code !== 'cluster_object_missing') throw error;
    const { namespace } = manifest.metadata;
    throw new PrerequisiteError('namespace_missing', `The cluster has no namespace "${namespace}"`, {
      hint: `kubectl create namespace ${namespace}`,
      cause: error,
    });
  }
}

async function refuseRunning(cluster: Cluster, manifest: Manifest): Promise<void> {
  const job = await cluster.read<V1Job>(refTo(manifest));
  if (job === undefined || jobEnd(job) !== undefined) return;
  const { name, namespace } = manifest.metadata;
  // To whom pods are not shown it is a Job that runs.
  const pods = await podsOfJob(cluster, job).catch(() => []);
  if (pods.length > 0 && pods.every((pod) => hopelessReason(pod) !== undefined)) return;
  throw new RefusedError('job_runs', `The Job ${namespace}/${name} runs already`, {
    hint: `Follow it: pgglide k8s logs. To begin anew, which loses nothing: kubectl -n ${namespace} delete job ${name}`,
  });
}

/** A Job that has ended, or cannot begin, never starts again: it makes room for a new one. */
async function removeEnded(cluster: Cluster, manifest: Manifest): Promise<void> {
  if (!(await cluster.remove(refTo(manifest)))) return;
  const isGone = async () => ((await cluster.read(refTo(manifest))) === undefined ? true : undefined);
  await until(`the end of the old Job ${manifest.metadata.name}`, isGone, {
    timeoutMs: GONE_TIMEOUT_MS,
    intervalMs: 200,
  });
}
