/** Labs in the test cluster, each in a namespace of its own. */

import { randomBytes } from 'node:crypto';
import { TEST_IMAGE } from './cluster-tool.ts';

/** More arguments of setup.sh, for a lab that nobody else has. */
export const inCluster = (image = TEST_IMAGE): string[] => {
  const namespace = `lab-test-${randomBytes(3).toString('hex')}`;
  return ['--mode', 'k8s', '--namespace', namespace, '--image', image];
};

/** Requests a second, throughout. */
export const LAB_RATE = process.env.PGGLIDE_LAB_RATE ?? '500';
