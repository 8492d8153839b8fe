/** The Job whose pod we run in, as its manifest tells us. Pure. */

import { NAMESPACE_VARIABLE } from '../config/secret.ts';

export interface OwnJob {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly pod: string;
}

export const JOB_VARIABLES = { job: 'PGGLIDE_JOB', uid: 'PGGLIDE_JOB_UID', pod: 'PGGLIDE_POD' } as const;

/** Undefined outside of a Job's pod. */
export function jobOfPod(env: Readonly<Record<string, string | undefined>>): OwnJob | undefined {
  const name = env[JOB_VARIABLES.job];
  const uid = env[JOB_VARIABLES.uid];
  const pod = env[JOB_VARIABLES.pod];
  const namespace = env[NAMESPACE_VARIABLE];
  return name && uid && pod && namespace ? { name, uid, namespace, pod } : undefined;
}
