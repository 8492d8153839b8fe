/** A command of ours as a Job, which resumes where a deleted or killed pod stopped. Pure. */

import type { V1EnvVar, V1Job, V1JobSpec, V1PodFailurePolicyRule } from '@kubernetes/client-node';
import { FAMILIES } from '../../domain/error-codes.ts';
import { JOB_VARIABLES } from '../own-job.ts';
import type { ClusterFeatures } from './cluster-features.ts';
import { jobName, ownLabels } from './own-names.ts';
import { CONTAINER, type PodInput, podSpec } from './pod-template.ts';

/** What may run unattended. `complete` and `abort` ask, and take answers from a person. */
export const JOB_COMMANDS = ['sync', 'check', 'verify', 'rehearse', 'cutover', 'rollback'] as const;
export type JobCommand = (typeof JOB_COMMANDS)[number];

const ARGUMENTS: Readonly<Record<JobCommand, readonly string[]>> = {
  // Stays while the target follows, so that other commands find a pod to run in.
  sync: ['sync', '--follow'],
  check: ['check'],
  verify: ['verify'],
  rehearse: ['rehearse'],
  cutover: ['cutover'],
  rollback: ['rollback'],
};

const BACKOFF_LIMIT = 6;
/** A switch in its pause is undone or finished before the kill; each step of that is bounded by ten seconds. */
const GRACE_SECONDS = 120;
const INTERRUPTED = 10;

export type JobInput = Pick<PodInput, 'image' | 'configMap' | 'serviceAccount' | 'secrets'> & {
  readonly migration: string;
  readonly command: JobCommand;
  readonly features: ClusterFeatures;
};

export function renderJob({ migration, command, features, ...pod }: JobInput): V1Job {
  const labels = ownLabels(migration, command);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: jobName(migration, command), labels },
    spec: {
      ...retries(command, features),
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          ...podSpec({
            ...pod,
            args: [...ARGUMENTS[command], '--no-input', '--no-color'],
            env: jobEnvironment(),
            terminationGracePeriodSeconds: GRACE_SECONDS,
            container: {
              resources: {
                requests: { cpu: '100m', memory: '256Mi' },
                limits: { memory: '1Gi' },
              },
            },
          }),
        },
      },
    },
  };
}

/**
 * The exit codes of docs/errors.md. Older clusters do not look at them: there the limit ends what fails again and
 * again, and what is over in minutes, a switch above all, is not tried twice.
 */
function retries(command: JobCommand, { podFailurePolicy }: ClusterFeatures): Partial<V1JobSpec> {
  if (podFailurePolicy) return { backoffLimit: BACKOFF_LIMIT, podFailurePolicy: { rules: failureRules() } };
  return { backoffLimit: command === 'sync' ? BACKOFF_LIMIT : 0 };
}

function failureRules(): V1PodFailurePolicyRule[] {
  const codes = (job: string) =>
    Object.values(FAMILIES)
      .filter((family) => family.job === job)
      .map((family) => family.exitCode);
  const onExit = (action: string, values: readonly number[]): V1PodFailurePolicyRule => ({
    action,
    onExitCodes: { containerName: CONTAINER, operator: 'In', values: [...values] },
  });
  return [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    onExit('FailJob', codes('fail')),
    // Told to stop: the pod was deleted, and the next one goes on.
    onExit('Ignore', [...codes('ignore'), INTERRUPTED]),
  ];
}

/** The old labels of a Job's pods: every version sets them. */
const jobEnvironment = (): V1EnvVar[] =>
  [
    { name: JOB_VARIABLES.job, fieldPath: "metadata.labels['job-name']" },
    { name: JOB_VARIABLES.uid, fieldPath: "metadata.labels['controller-uid']" },
    { name: JOB_VARIABLES.pod, fieldPath: 'metadata.name' },
  ].map(({ name, fieldPath }) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
