/** Waits until workloads have rolled out, and sees early where they never will. */

import type { V1Pod } from '@kubernetes/client-node';
import { sleep } from '../base/async.ts';
import { SwitchoverAbortedError, UnreachableError } from '../domain/errors.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { hopelessReason } from '../kubernetes/hopeless-pod.ts';
import {
  blockingPods,
  ownPods,
  type RolloutState,
  rolloutState,
  selectorText,
  type VerdictOptions,
  type Workload,
} from './kubernetes-rollout.ts';

const LOOK_EVERY_MS = 500;

export interface RolloutOptions extends VerdictOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Which of the workload's pods are as they shall be. */
  readonly isNew: (pod: V1Pod) => boolean;
}

export interface WorkloadRef {
  readonly kind: string;
  readonly name: string;
}

export const workloadText = ({ kind, name }: WorkloadRef): string => `${kind.toLowerCase()}/${name}`;

/** @throws {SwitchoverAbortedError} `rollout_stuck`, saying why */
export async function awaitRollout(
  cluster: Cluster,
  workload: WorkloadRef,
  options: RolloutOptions,
): Promise<void> {
  const started = performance.now();
  let waitingFor = 'the API server';
  while (performance.now() - started < options.timeoutMs) {
    options.signal.throwIfAborted();
    const state = await look(cluster, workload, options).catch(whenUnreachable);
    if (state?.is === 'done') return;
    if (state?.is === 'stuck') throw stuck(workload, state.why);
    waitingFor = state?.waitingFor ?? waitingFor;
    await sleep(LOOK_EVERY_MS, options.signal);
  }
  throw stuck(workload, `after ${options.timeoutMs / 1000} s it waits for ${waitingFor}`);
}

/** The controller counts a pod out as soon as it is told to end; but until it has, it may still work. */
async function look(
  cluster: Cluster,
  { kind, name }: WorkloadRef,
  { isNew, isUndo }: RolloutOptions,
): Promise<RolloutState> {
  const workload = await cluster.require<Workload>({ apiVersion: 'apps/v1', kind, name });
  const state = rolloutState(workload, { isUndo });
  if (state.is === 'stuck') return state;
  const labels = selectorText(workload.spec?.selector ?? {});
  const pods = ownPods(workload, await cluster.list<V1Pod>({ apiVersion: 'v1', kind: 'Pod' }, { labels }));
  if (isUndo) await removePods(cluster, blockingPods(workload, pods, isNew));
  if (state.is === 'done') {
    const old = pods.filter((pod) => !isNew(pod) && !isOver(pod)).length;
    return old === 0 ? state : { is: 'under-way', waitingFor: `${old} old pods to end` };
  }
  const why = pods
    .filter((pod) => isNew(pod) && pod.metadata?.deletionTimestamp === undefined)
    .map(hopelessReason)
    .find((reason) => reason !== undefined);
  return why === undefined ? state : { is: 'stuck', why };
}

async function removePods(cluster: Cluster, pods: readonly V1Pod[]): Promise<void> {
  for (const { metadata } of pods) {
    await cluster.remove({ apiVersion: 'v1', kind: 'Pod', name: metadata?.name ?? '' });
  }
}

const isOver = ({ status }: V1Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** An API server that restarts is no rollout that failed. */
function whenUnreachable(error: unknown): undefined {
  if (error instanceof UnreachableError) return undefined;
  throw error;
}

const stuck = (workload: WorkloadRef, why: string): SwitchoverAbortedError =>
  new SwitchoverAbortedError('rollout_stuck', `${workloadText(workload)} does not roll out: ${why}`, {
    hint: 'Everything was put back; traffic is where it was. Mend the cause, then run the same command again.',
    facts: { workload: workloadText(workload) },
  });
