/** The proxy as a Deployment of its own, with what it needs. Pure. */

import type {
  V1Deployment,
  V1PodDisruptionBudget,
  V1PodSpec,
  V1Secret,
  V1Service,
} from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { type ServerAddress, SYSTEM_AUTHORITIES } from '../config/server-address.ts';
import type { KubernetesTraffic } from '../config/settings.ts';
import { SIDES, type Side } from '../domain/names.ts';
import type { NamedObject, ObjectRef } from '../kubernetes/cluster.ts';
import { objectName, ownLabels } from '../kubernetes/manifests/own-names.ts';
import type { Endpoint } from './database-endpoint.ts';

/** On the pod's loopback alone: whoever may forward a port of the pod, and nobody else, commands the proxy. */
export const CONTROL_PORT = 7432;
const LISTEN_PORT = 6432;
/** The application may know no other. */
const SERVICE_PORT = 5432;
const FOLDER = '/etc/pgglide';
const TLS_FOLDER = '/etc/pgglide-tls';
const UID = 1000;
const READ_BY_GROUP = 0o440;
/** New connections still come until every node has heard that a pod is going. */
const LEAVE_SECONDS = 5;

export interface ProxyObjects {
  readonly migration: string;
  readonly traffic: Pick<KubernetesTraffic, 'pullSecret' | 'tlsSecret' | 'replicas' | 'servers'>;
  readonly image: string;
  readonly immovable: string;
  readonly disruptionBudget: string;
  /** Certificates and keys of the servers' addresses, by their path here. */
  readonly files: ReadonlyMap<string, string>;
}

export const proxyName = (migration: string): string => `${objectName(migration)}-proxy`;
export const proxyEndpoint = (migration: string): Endpoint => ({
  host: proxyName(migration),
  port: String(SERVICE_PORT),
});
export const proxyLabels = (migration: string): Record<string, string> => ownLabels(migration, 'proxy');

export const proxyDeployment = (migration: string): ObjectRef => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  name: proxyName(migration),
});

/** All there is of it, to be removed in this order: as long as the Deployment is there, something is left to be done. */
export const proxyRefs = (migration: string, disruptionBudget: string): ObjectRef[] => [
  { apiVersion: disruptionBudget, kind: 'PodDisruptionBudget', name: proxyName(migration) },
  { apiVersion: 'v1', kind: 'Service', name: proxyName(migration) },
  { apiVersion: 'v1', kind: 'Secret', name: proxyName(migration) },
  proxyDeployment(migration),
];

/** In the order in which they are made. */
export function proxyObjects(input: ProxyObjects): NamedObject[] {
  const metadata = {
    name: proxyName(input.migration),
    labels: proxyLabels(input.migration),
    annotations: { 'pgglide.io/migration': input.migration },
  };
  const secret: V1Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries(secretFiles(input)).map(([name, content]) => [
        name,
        Buffer.from(content, 'utf8').toString('base64'),
      ]),
    ),
  };
  const service: V1Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      selector: proxyLabels(input.migration),
      ports: [{ name: 'postgresql', port: SERVICE_PORT, targetPort: LISTEN_PORT, protocol: 'TCP' }],
    },
  };
  const budget: V1PodDisruptionBudget = {
    apiVersion: input.disruptionBudget,
    kind: 'PodDisruptionBudget',
    metadata,
    spec: { maxUnavailable: 1, selector: { matchLabels: proxyLabels(input.migration) } },
  };
  return [secret, { ...deployment(input), metadata }, service, budget] as NamedObject[];
}

function deployment(input: ProxyObjects): V1Deployment {
  const labels = proxyLabels(input.migration);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: {
      replicas: input.traffic.replicas,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: { metadata: { labels }, spec: podSpec(input, labels) },
    },
  };
}

function podSpec({ migration, traffic, image }: ProxyObjects, labels: Record<string, string>): V1PodSpec {
  const { pullSecret, tlsSecret } = traffic;
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 30,
    ...(pullSecret === undefined ? {} : { imagePullSecrets: [{ name: pullSecret }] }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: UID,
      runAsGroup: UID,
      fsGroup: UID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: labels },
            },
          },
        ],
      },
    },
    containers: [
      {
        name: 'proxy',
        image,
        imagePullPolicy: 'IfNotPresent',
        args: ['proxy', '--config', `${FOLDER}/pgglide.yaml`],
        ports: [{ name: 'postgresql', containerPort: LISTEN_PORT, protocol: 'TCP' }],
        // Not ready until the target has said which side is active: so long the proxy would refuse. To ask costs a process in
        // the pod, so that it is done at the start alone; that the proxy still listens is asked for nothing.
        startupProbe: {
          exec: { command: ['node', '-e', ASK_READY] },
          periodSeconds: 2,
          timeoutSeconds: 10,
          failureThreshold: START_ATTEMPTS,
        },
        readinessProbe: {
          tcpSocket: { port: LISTEN_PORT },
          periodSeconds: 2,
          timeoutSeconds: 5,
          failureThreshold: 3,
        },
        lifecycle: { preStop: { exec: { command: ['sleep', String(LEAVE_SECONDS)] } } },
        resources: { requests: { cpu: '50m', memory: '96Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'config', mountPath: FOLDER, readOnly: true },
          ...(tlsSecret === undefined ? [] : [{ name: 'tls', mountPath: TLS_FOLDER, readOnly: true }]),
        ],
      },
    ],
    volumes: [
      { name: 'config', secret: { secretName: proxyName(migration), defaultMode: READ_BY_GROUP } },
      ...(tlsSecret === undefined
        ? []
        : [{ name: 'tls', secret: { secretName: tlsSecret, defaultMode: READ_BY_GROUP } }]),
    ],
  };
}

/** An hour's worth: a target that is down is no reason to start a proxy anew. */
const START_ATTEMPTS = 1800;
const ASK_READY = `require('http').get('http://127.0.0.1:${CONTROL_PORT}/readyz',r=>process.exit(r.statusCode===200?0:1)).on('error',()=>process.exit(1))`;

const CERTIFICATES = ['sslRootCert', 'sslCert', 'sslKey'] as const;
const fileName = (side: Side, key: string): string => `${side}-${key}`;

/** The configuration, and each secret and certificate as a file of its own beside it. */
function secretFiles(input: ProxyObjects): Record<string, string> {
  const { servers, tlsSecret } = input.traffic;
  const files: Record<string, string> = {};
  for (const side of SIDES) {
    const { password } = servers[side];
    if (password !== undefined) files[fileName(side, 'password')] = password;
    for (const key of CERTIFICATES) {
      const content = input.files.get(servers[side][key] ?? '');
      if (content !== undefined) files[fileName(side, key)] = content;
    }
  }
  const config = {
    migration: input.migration,
    source: serverSection('source', servers.source),
    target: serverSection('target', servers.target),
    proxy: {
      listen: `0.0.0.0:${LISTEN_PORT}`,
      control: `http://127.0.0.1:${CONTROL_PORT}`,
      immovable: input.immovable,
      ...(tlsSecret === undefined
        ? {}
        : { tls: { cert: `${TLS_FOLDER}/tls.crt`, key: `${TLS_FOLDER}/tls.key` } }),
    },
  };
  return { ...files, 'pgglide.yaml': stringify(config) };
}

function serverSection(side: Side, address: ServerAddress): Record<string, unknown> {
  const { host, port, user, database, sslMode, options, password } = address;
  const certificates = CERTIFICATES.flatMap((key) => {
    const given = address[key];
    if (given === undefined) return [];
    const inPod = given === SYSTEM_AUTHORITIES ? given : `${FOLDER}/${fileName(side, key)}`;
    return [[key.toLowerCase(), inPod] as const];
  });
  return {
    host,
    port,
    user,
    database,
    sslmode: sslMode,
    ...(options === undefined ? {} : { options }),
    ...(password === undefined ? {} : { passwordFrom: { file: `${FOLDER}/${fileName(side, 'password')}` } }),
    ...Object.fromEntries(certificates),
  };
}
