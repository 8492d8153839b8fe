/** The cluster that KUBECONFIG names, for the `k8s` project; without one its tests are skipped, and this says why. */

import type { TestProject } from 'vitest/node';
import { PgglideError } from '../../src/domain/errors.ts';
import { openCluster } from '../../src/kubernetes/cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined: there is no cluster. */
    kubeconfig: string | undefined;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const { KUBECONFIG } = process.env;
  const missing = KUBECONFIG ? await whyNot() : 'KUBECONFIG is not set';
  if (missing !== undefined)
    process.stderr.write(`No Kubernetes cluster (${missing}): its tests are skipped\n`);
  project.provide('kubeconfig', missing === undefined ? KUBECONFIG : undefined);
}

async function whyNot(): Promise<string | undefined> {
  try {
    await (await openCluster({})).version();
    return undefined;
  } catch (error) {
    if (error instanceof PgglideError) return error.message;
    throw error;
  }
}
