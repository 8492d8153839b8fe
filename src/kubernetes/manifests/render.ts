/** All that a migration needs in a cluster, as objects in the order in which they are applied. Pure. */

import type { KubernetesObject, V1ConfigMap } from '@kubernetes/client-node';
import { parseConninfo } from '../../config/conninfo-text.ts';
import type { Config } from '../../config/schema.ts';
import { UsageError } from '../../domain/errors.ts';
import { SIDES } from '../../domain/names.ts';
import type { ClusterFeatures } from './cluster-features.ts';
import { configSecrets, type MountedSecret } from './config-secrets.ts';
import { objectName, ownLabels } from './own-names.ts';
import { CONFIG_KEY } from './pod-template.ts';
import { type AccessRight, renderAccess } from './render-access.ts';
import { dashboardName, renderDashboard } from './render-dashboard.ts';
import { type JobCommand, renderJob } from './render-job.ts';

export interface RenderInput {
  readonly migration: string;
  readonly namespace: string;
  readonly image: string;
  readonly command: JobCommand;
  readonly features: ClusterFeatures;
  readonly config: Config;
  /** What goes into the ConfigMap. */
  readonly configText: string;
  readonly rights: readonly AccessRight[];
  readonly withDashboard?: boolean;
}

export type Manifest = KubernetesObject & {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
};

/** @throws {UsageError} `password_in_manifest` */
export function renderManifests(input: RenderInput): Manifest[] {
  refusePasswords(input.config);
  const { migration, namespace, config } = input;
  const name = objectName(migration);
  const { mounted: secrets, elsewhere: secretsElsewhere } = configSecrets(config, namespace);
  const configMap: V1ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: ownLabels(migration) },
    data: { [CONFIG_KEY]: input.configText },
  };
  const objects: KubernetesObject[] = [
    ...renderAccess({
      migration,
      namespace,
      rights: input.rights,
      secretsElsewhere,
      otherReaders: input.withDashboard ? [dashboardName(migration)] : [],
    }),
    configMap,
    renderJob({ ...input, configMap: name, serviceAccount: name, secrets }),
    ...(input.withDashboard ? dashboard(input, name, secrets, secretsElsewhere.length > 0) : []),
  ];
  return objects.map((object) => inNamespace(object, namespace));
}

/** Our own proxies on a cluster are asked through the API server: more than a page should be allowed to. */
const dashboard = (
  { migration, image, config }: RenderInput,
  configMap: string,
  secrets: readonly MountedSecret[],
  readsSecrets: boolean,
) =>
  renderDashboard({
    migration,
    image,
    configMap,
    secrets,
    readsSecrets,
    withTraffic: config.traffic.driver !== 'kubernetes' && config.traffic.driver !== 'none',
  });

/** In the order in which people write it. */
function inNamespace(object: KubernetesObject, namespace: string): Manifest {
  const { apiVersion = '', kind = '', metadata, ...rest } = object;
  const { name = '', namespace: own = namespace, ...more } = metadata ?? {};
  return { apiVersion, kind, metadata: { name, namespace: own, ...more }, ...rest };
}

/** A ConfigMap is for everybody to read, and manifests are kept in repositories. */
function refusePasswords({ source, target, traffic }: Config): void {
  const texts = { source, target };
  const found = Object.entries(texts).flatMap(([side, section]) => {
    const keys = Object.entries(section).filter(([key, value]) => key === 'password' || holdsPassword(value));
    return keys.map(([key]) => `${side}.${key}`);
  });
  for (const side of SIDES)
    if (holdsPassword(traffic.kubernetes[side])) found.push(`traffic.kubernetes.${side}`);
  if (traffic.pgbouncer.consoles.some(holdsPassword)) found.push('traffic.pgbouncer.consoles');
  if (found.length === 0) return;
  throw new UsageError('password_in_manifest', `A manifest would show a password: ${found.join(', ')}`, {
    hint: 'Put it into a Secret, and name that: passwordFrom: { secretKeyRef: { name: ..., key: password } }',
    facts: { keys: found },
  });
}

function holdsPassword(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    return parseConninfo(value).has('password');
  } catch {
    return false;
  }
}
