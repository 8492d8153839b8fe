import type { V1Job } from '@kubernetes/client-node';

/** Undefined while it runs. */
export function jobEnd(job: V1Job): 'complete' | 'failed' | undefined {
  const has = (type: string) =>
    job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True');
  if (has('Complete')) return 'complete';
  return has('Failed') ? 'failed' : undefined;
}
