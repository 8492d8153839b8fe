/** The log of a Job's pods, one after the other, until the Job has ended. */

import { PassThrough, type Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { sleep } from '../../base/async.ts';
import { PgglideError, PrerequisiteError } from '../../domain/errors.ts';
import type { Cluster } from '../cluster.ts';
import { hopelessReason } from '../hopeless-pod.ts';
import { jobEnd } from './job-end.ts';
import { podsOfJob } from './job-pods.ts';
import { CONTAINER } from './pod-template.ts';

const LOOK_EVERY_MS = 500;
/** An image that is on its way to the node may be late; one that is nowhere is not waited for without end. */
const HOPELESS_MS = 30_000;
const FAILED = 1;

export interface FollowInput {
  readonly job: string;
  readonly into: Writable;
  readonly signal: AbortSignal;
  /** What is worth a remark beside the log itself. */
  readonly told: (text: string) => void;
}

/** @returns the exit code of the command in the Job. @throws {PrerequisiteError} `job_missing`, `job_stuck`, `cluster_*` */
export async function followJob(cluster: Cluster, { job, into, signal, told }: FollowInput): Promise<number> {
  const seen = new Set<string>();
  let waiting: string | undefined;
  let hopelessSinceMs: number | undefined;
  let sinceSeconds: number | undefined;
  for (;;) {
    const found = await readJob(cluster, job);
    const pod = (await podsOfJob(cluster, found)).find(({ metadata }) => !seen.has(metadata?.uid ?? ''));
    const name = pod?.metadata?.name;
    if (name !== undefined && hasStarted(pod)) {
      hopelessSinceMs = undefined;
      told(sinceSeconds === undefined ? `pod ${name}` : `pod ${name}: its log broke off, and goes on`);
      // One that was deleted meanwhile has a successor.
      const copied = await copyLog(cluster, name, { into, signal, sinceSeconds }).catch(unlessGone);
      sinceSeconds = copied?.brokenForSeconds;
      if (sinceSeconds === undefined) seen.add(pod?.metadata?.uid ?? '');
      else await sleep(LOOK_EVERY_MS, signal);
      continue;
    }
    const end = jobEnd(found);
    if (end === 'complete') return 0;
    if (end === 'failed') return (await lastExitCode(cluster, found)) ?? FAILED;
    const reason = name === undefined ? undefined : waitingFor(pod);
    if (reason !== undefined && reason !== waiting) told(`pod ${name} waits: ${reason}`);
    waiting = reason;
    const hopeless = pod && hopelessReason(pod);
    if (hopeless !== undefined) {
      // Between two tries the kubelet says something else for a moment: that begins no new wait.
      hopelessSinceMs ??= performance.now();
      if (performance.now() - hopelessSinceMs > HOPELESS_MS) {
        throw new PrerequisiteError('job_stuck', `The Job ${job} cannot start: ${hopeless}`, {
          hint: 'Mend what is named (the image: --image), then pgglide k8s apply again: it replaces a Job that never started.',
        });
      }
    }
    await sleep(LOOK_EVERY_MS, signal);
  }
}

async function readJob(cluster: Cluster, name: string): Promise<V1Job> {
  const job = await cluster.read<V1Job>({ apiVersion: 'batch/v1', kind: 'Job', name });
  if (job !== undefined) return job;
  throw new PrerequisiteError('job_missing', `There is no Job ${name} in namespace "${cluster.namespace}"`, {
    hint: 'Start one: pgglide k8s apply',
  });
}

/** Of our own container: what is injected into pods, a mesh's proxy say, may stand before it. */
const stateOf = (pod: V1Pod | undefined) =>
  pod?.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state;
const hasStarted = (pod: V1Pod | undefined): boolean =>
  stateOf(pod)?.running !== undefined || stateOf(pod)?.terminated !== undefined;

interface Copied {
  /** Since its last line, rounded up; undefined: the log came to its end. */
  readonly brokenForSeconds: number | undefined;
}

async function copyLog(
  cluster: Cluster,
  pod: string,
  {
    into,
    signal,
    sinceSeconds,
  }: Pick<FollowInput, 'into' | 'signal'> & { readonly sinceSeconds: number | undefined },
): Promise<Copied> {
  const log = new PassThrough();
  let lastAtMs = performance.now();
  let isBroken = false;
  log.on('data', () => {
    lastAtMs = performance.now();
  });
  // A connection that breaks would leave us waiting for its end for ever.
  log.once('pipe', (source) =>
    source.once('error', () => {
      isBroken = true;
      log.end();
    }),
  );
  log.pipe(into, { end: false });
  const following = await cluster.logs(pod, CONTAINER, log, {
    follow: true,
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
  });
  const stop = () => following.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await finished(log, { signal });
    const silentSeconds = Math.ceil((performance.now() - lastAtMs) / 1000);
    // A line twice is better than none.
    return { brokenForSeconds: isBroken ? silentSeconds + 1 : undefined };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof PgglideError) || error.code !== 'cluster_object_missing') throw error;
}

async function lastExitCode(cluster: Cluster, job: V1Job): Promise<number | undefined> {
  const pods = await podsOfJob(cluster, job);
  return pods.map((pod) => stateOf(pod)?.terminated?.exitCode).findLast((code) => code !== undefined);
}

/** ImagePullBackOff, CreateContainerConfigError: the kubelet says why nothing comes. */
function waitingFor(pod: V1Pod | undefined): string | undefined {
  const waiting = stateOf(pod)?.waiting;
  return waiting?.message && `${waiting.reason}: ${waiting.message}`;
}
