/** What a cluster's version serves, as far as our manifests differ by it. Pure. */

import { UsageError } from '../../domain/errors.ts';

export interface ClusterFeatures {
  /** A Job's podFailurePolicy: on without asking since 1.26. */
  readonly podFailurePolicy: boolean;
  /** policy/v1 since 1.21; the older one is gone since 1.25. */
  readonly disruptionBudget: 'policy/v1' | 'policy/v1beta1';
}

const OLDEST_MINOR = 20;

/** @param version "v1.20.2", "1.31", "v1.33.4+k3s1". @throws {UsageError} `bad_usage` */
export function clusterFeatures(version: string): ClusterFeatures {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major !== '1' || Number(minor) < OLDEST_MINOR) {
    throw new UsageError('bad_usage', `Not a version of Kubernetes that pgglide knows: ${version}`, {
      hint: `1.${OLDEST_MINOR} or newer, for example --kubernetes 1.31`,
    });
  }
  return {
    podFailurePolicy: Number(minor) >= 26,
    disruptionBudget: Number(minor) >= 21 ? 'policy/v1' : 'policy/v1beta1',
  };
}

/** When nobody says which: today's. */
export const MODERN = '1.31';
