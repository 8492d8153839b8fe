/** The section `traffic.kubernetes`, checked as a whole. Pure. */

import { UsageError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import type { Config } from './schema.ts';
import type { ServerAddress } from './server-address.ts';
import type { KubernetesApplication, KubernetesTraffic, WorkloadKind } from './settings.ts';

type Section = Config['traffic']['kubernetes'];

/**
 * @param seenByPods a side's address with what the text says over it
 * @throws {UsageError} `config_bad_value`
 */
export function kubernetesTraffic(
  section: Section,
  seenByPods: (side: Side, text: string | undefined) => ServerAddress,
): KubernetesTraffic {
  const { image, pullSecret, tlsSecret, replicas, rolloutTimeout } = section;
  return {
    application: kubernetesApplication(section),
    image,
    pullSecret,
    tlsSecret,
    replicas,
    servers: {
      source: seenByPods('source', section.source),
      target: seenByPods('target', section.target),
    },
    rolloutTimeoutMs: rolloutTimeout,
  };
}

/** Undefined when none is named. @throws {UsageError} `config_bad_value` */
export function kubernetesApplication(section: Section): KubernetesApplication | undefined {
  const { configMap, secret, workloads } = section;
  const name = configMap ?? secret;
  if (name === undefined) return undefined;
  if (configMap !== undefined && secret !== undefined)
    throw bad('has both configMap and secret', 'Keep one.');
  if (workloads.length === 0)
    throw bad('names no workloads', 'Name who reads it, such as [deployment/shop].');
  return {
    kind: secret === undefined ? 'ConfigMap' : 'Secret',
    name,
    keys: keysOf(section),
    workloads: workloads.map(workload),
  };
}

function keysOf({ urlKey, hostKey, portKey }: Section): KubernetesApplication['keys'] {
  if (urlKey !== undefined && hostKey === undefined && portKey === undefined) return { url: urlKey };
  if (urlKey === undefined && hostKey !== undefined) return { host: hostKey, port: portKey };
  throw bad(
    'needs either urlKey, or hostKey and portKey',
    'Name the keys as the ConfigMap or Secret has them.',
  );
}

const KINDS: Readonly<Record<string, WorkloadKind>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
};

function workload(text: string): KubernetesApplication['workloads'][number] {
  const [kind = '', name = ''] = text.split('/');
  return { kind: KINDS[kind] ?? 'Deployment', name };
}

const bad = (what: string, hint: string): UsageError =>
  new UsageError('config_bad_value', `traffic.kubernetes ${what}`, { hint });
