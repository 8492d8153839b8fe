/** Is every pod of a workload new and ready, or will that never be? Pure. */

import type {
  V1DaemonSet,
  V1Deployment,
  V1LabelSelector,
  V1Pod,
  V1StatefulSet,
} from '@kubernetes/client-node';

export type Workload = V1Deployment | V1StatefulSet | V1DaemonSet;

export type RolloutState =
  | { readonly is: 'done' }
  | { readonly is: 'under-way'; readonly waitingFor: string }
  | { readonly is: 'stuck'; readonly why: string };

const DONE: RolloutState = { is: 'done' };
const underWay = (waitingFor: string): RolloutState => ({ is: 'under-way', waitingFor });

export interface VerdictOptions {
  /** What the controller calls stuck is what is being undone: it takes that back only once a pod has gone. */
  readonly isUndo?: boolean | undefined;
}

export function rolloutState(workload: Workload, options: VerdictOptions = {}): RolloutState {
  const state = countedState(workload, options);
  const refusal = podsRefused(workload as V1Deployment);
  if (refusal === undefined || state.is === 'done') return state;
  if (state.is === 'stuck') return { is: 'stuck', why: `${state.why} ${refusal}` };
  return underWay(`${state.waitingFor} (${refusal})`);
}

/** Why the API server takes no pod of it: a quota, a policy, a webhook. It may yet take one. */
const podsRefused = ({ status }: V1Deployment): string | undefined =>
  status?.conditions?.find((one) => one.type === 'ReplicaFailure' && one.status === 'True')?.message;

function countedState(workload: Workload, { isUndo = false }: VerdictOptions): RolloutState {
  if (!hasLooked(workload)) return underWay('the controller');
  const why = isUndo ? undefined : givenUp(workload as V1Deployment);
  if (why !== undefined) return { is: 'stuck', why };
  const { wanted, updated, ready, present } = counts(workload);
  if (updated < wanted) return underWay(`${wanted - updated} of ${wanted} pods to be replaced`);
  if (present > updated) return underWay(`${present - updated} old pods to end`);
  if (ready < wanted) return underWay(`${wanted - ready} of ${wanted} pods to become ready`);
  return DONE;
}

/** Every pod is new and no old one is left, ready or not. */
export function isReplaced(workload: Workload): boolean {
  const { wanted, updated, present } = counts(workload);
  return hasLooked(workload) && updated >= wanted && present <= updated;
}

/** Whether the controller has seen the template as it is now. */
export const hasLooked = ({ metadata, status }: Workload): boolean =>
  (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0);

/** What the Deployment's controller itself calls stuck (progressDeadlineSeconds). */
const givenUp = ({ status }: V1Deployment): string | undefined =>
  status?.conditions?.find(({ reason }) => reason === 'ProgressDeadlineExceeded')?.message;

interface Counts {
  readonly wanted: number;
  readonly updated: number;
  readonly ready: number;
  readonly present: number;
}

function counts(workload: Workload): Counts {
  if (workload.kind === 'DaemonSet') {
    const { status } = workload as V1DaemonSet;
    const wanted = status?.desiredNumberScheduled ?? 0;
    const updated = status?.updatedNumberScheduled ?? 0;
    return { wanted, updated, ready: status?.numberAvailable ?? 0, present: updated };
  }
  const { spec, status } = workload as V1Deployment & V1StatefulSet;
  const ready = workload.kind === 'StatefulSet' ? status?.readyReplicas : status?.availableReplicas;
  return {
    wanted: spec?.replicas ?? 1,
    updated: status?.updatedReplicas ?? 0,
    ready: ready ?? 0,
    present: status?.replicas ?? 0,
  };
}

/** As the API server takes it. Pods of others may match it as well: see `ownPods`. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: Partial<V1LabelSelector>): string {
  const wanted = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === 'Exists') wanted.push(key);
    else if (operator === 'DoesNotExist') wanted.push(`!${key}`);
    else wanted.push(`${key} ${operator.toLowerCase()} (${values.join(',')})`);
  }
  return wanted.join(',');
}

/** Of pods with its labels those that are its own: a Job's, or another workload's, may have the same labels. */
export const ownPods = (workload: Workload, pods: readonly V1Pod[]): V1Pod[] =>
  pods.filter(({ metadata }) => {
    const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
    if (workload.kind !== 'Deployment') return owner?.uid === workload.metadata?.uid;
    const replicaSet = `${workload.metadata?.name}-${metadata?.labels?.['pod-template-hash']}`;
    return owner?.kind === 'ReplicaSet' && owner.name === replicaSet;
  });

/**
 * Pods that keep a StatefulSet from going back. Its controller waits for one that is not ready before it replaces any,
 * that one included, for ever: somebody must remove it.
 */
export function blockingPods(
  workload: Workload,
  pods: readonly V1Pod[],
  isNew: (pod: V1Pod) => boolean,
): V1Pod[] {
  if (workload.kind !== 'StatefulSet' || !hasLooked(workload)) return [];
  return pods.filter((pod) => !isNew(pod) && !isReady(pod) && pod.metadata?.deletionTimestamp === undefined);
}

const isReady = ({ status }: V1Pod): boolean =>
  status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
