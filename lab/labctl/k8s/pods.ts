/** What runs, read from the cluster, and waiting for it. */

import { createHash } from 'node:crypto';
import { LabError } from '../folder.ts';
import { type Cluster, find, type KubeObject, kubectl, list, until } from './kubectl.ts';

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly object[];
  readonly volumeMounts?: readonly { readonly mountPath: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly imageID: string;
  readonly state: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

export interface Pod extends KubeObject {
  readonly spec: { readonly containers: readonly Container[] };
  readonly status: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false);

export const restartsOf = ({ status }: Pod): number =>
  (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Of what a container runs, its environment apart when that is the learner's to change. */
export function containerHash(pod: Pod, name: string, withEnvironment: boolean): string {
  const container = pod.spec.containers.find((one) => one.name === name);
  const status = pod.status.containerStatuses?.find((one) => one.name === name);
  const { image, command, args, env, volumeMounts } = container ?? {};
  const mounts = volumeMounts?.map(({ mountPath }) => mountPath).filter((path) => path !== SERVICE_ACCOUNT);
  const facts = { image, command, args, mounts, imageId: status?.imageID, env: withEnvironment ? env : [] };
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

interface Workload extends KubeObject {
  readonly spec: { readonly replicas: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
  };
}

const READY_TIMEOUT_MS = 180_000;

/** Every pod is there, of the newest kind, and ready; none of an older kind is left, not even one that is going. */
export async function untilReady(
  cluster: Cluster,
  kind: 'deployment' | 'statefulset',
  name: string,
): Promise<void> {
  const isDone = async () => {
    const [workload, pods] = await Promise.all([
      find<Workload>(cluster, `${kind}/${name}`),
      list<Pod>(cluster, 'pods', `app=${name}`),
    ]);
    refuseHopeless(pods);
    if (workload === undefined) throw new LabError(`There is no ${kind} ${name}`, 1);
    const { spec, status, metadata } = workload;
    return (
      (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
      status.updatedReplicas === spec.replicas &&
      status.readyReplicas === spec.replicas &&
      pods.length === spec.replicas
    );
  };
  await until(isDone, READY_TIMEOUT_MS, () => whyNot(cluster, kind, name));
}

const IMAGE_TROUBLE = new Set(['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName']);
const HOPELESS = new Set(['CreateContainerConfigError', 'CrashLoopBackOff']);

/** What waiting does not heal. @throws {LabError} */
export function refuseHopeless(pods: readonly Pod[]): void {
  for (const { metadata, spec, status } of pods) {
    for (const { name, state } of status.containerStatuses ?? []) {
      const { reason = '', message = '' } = state.waiting ?? {};
      const image = spec.containers.find((one) => one.name === name)?.image ?? '?';
      if (IMAGE_TROUBLE.has(reason)) throw new LabError(imageMissing(image, message), 1);
      // A kubelet that is busy says so of a ConfigMap that it has not read yet, and tries again.
      if (HOPELESS.has(reason) && !message.startsWith('failed to sync'))
        throw new LabError(
          `Pod ${metadata.name} does not start: ${reason} ${message}. See kubectl logs ${metadata.name} --previous`,
          1,
        );
    }
  }
}

const imageMissing = (image: string, message: string): string =>
  /(^|\/)postgres:/.test(image)
    ? `The cluster cannot get the image ${image}: ${message}`
    : `The cluster has no image ${image} (${message}). Make it from this checkout and bring it in:
  docker build -f deploy/Dockerfile -t ${image} .
  docker save ${image} | sudo k3s ctr images import -      # kind: kind load docker-image ${image}
then run setup.sh again. Another name or registry: --image NAME`;

async function whyNot(cluster: Cluster, kind: string, name: string): Promise<string> {
  const pods = await list<Pod>(cluster, 'pods', `app=${name}`);
  const reasons = pods.flatMap(({ metadata, status }) =>
    (status.conditions ?? [])
      .filter(({ status: value, message }) => value === 'False' && message !== undefined)
      .map(({ message }) => `${metadata.name}: ${message}`),
  );
  return `${kind} ${name} did not become ready in ${READY_TIMEOUT_MS / 1000} s. ${reasons.join('; ') || 'See kubectl describe'}`;
}

/** What containers have said, the last part of it; empty where nothing can be read. */
export const logsOf = (cluster: Cluster, pod: string, mostBytes: number): Promise<string> =>
  kubectl(cluster, ['logs', pod, '--all-containers', '--tail=-1', `--limit-bytes=${mostBytes}`]).catch(
    () => '',
  );
