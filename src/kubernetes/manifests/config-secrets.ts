/** Which Secrets a configuration names: those to mount, and those of other namespaces, to be read through the API. Pure. */

import { clusterAccess, type OperatorCluster } from '../../config/operator-cluster.ts';
import type { Config } from '../../config/schema.ts';
import type { SecretRef } from '../../config/secret.ts';

export interface MountedSecret {
  readonly name: string;
  /** Undefined: all. */
  readonly keys: readonly string[] | undefined;
  /** The pod starts without it. */
  readonly optional: boolean;
}

export interface ConfigSecrets {
  readonly mounted: readonly MountedSecret[];
  readonly elsewhere: readonly (SecretRef & { readonly namespace: string })[];
}

interface Use extends SecretRef {
  readonly keys: readonly string[] | undefined;
  readonly optional: boolean;
}

/** @param namespace where the pods run */
export function configSecrets(config: Config, namespace: string): ConfigSecrets {
  const uses = [...usesOf(config.source), ...usesOf(config.target)];
  const isHere = (use: Use) => use.namespace === undefined || use.namespace === namespace;
  const names = [...new Set(uses.filter(isHere).map((use) => use.name))];
  const far = uses.filter((use) => !isHere(use) && !use.optional);
  return {
    mounted: names.map((name) => merged(uses.filter((use) => isHere(use) && use.name === name))),
    elsewhere: [...new Map(far.map((use) => [`${use.namespace}/${use.name}`, use])).values()].map((use) => ({
      name: use.name,
      namespace: use.namespace ?? namespace,
    })),
  };
}

function merged(uses: readonly Use[]): MountedSecret {
  const [first] = uses;
  const whole = uses.some((use) => use.keys === undefined);
  return {
    name: first?.name ?? '',
    keys: whole ? undefined : [...new Set(uses.flatMap((use) => use.keys ?? []))],
    optional: uses.every((use) => use.optional),
  };
}

function usesOf(side: Config['source' | 'target']): Use[] {
  const { kubernetes, passwordFrom, user } = side as {
    kubernetes?: OperatorCluster;
    passwordFrom?: { secretKeyRef?: SecretRef & { key: string } };
    user?: string;
  };
  const uses: Use[] = [];
  const ref = passwordFrom?.secretKeyRef;
  if (ref !== undefined) uses.push({ ...ref, keys: [ref.key], optional: false });
  if (kubernetes === undefined) return uses;
  const { login, authority } = clusterAccess({ ...kubernetes, user });
  uses.push({ ...login, keys: undefined, optional: false });
  // Beside the certificate may be its key: that is none of our business.
  if (authority !== undefined) uses.push({ ...authority, keys: [authority.key], optional: true });
  return uses;
}
