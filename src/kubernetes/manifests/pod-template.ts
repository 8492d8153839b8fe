/** What every pod of ours shares: who it runs as, what it may write, which Secrets it sees. Pure. */

import type { V1Container, V1EnvVar, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { MOUNTED_SECRETS, NAMESPACE_VARIABLE } from '../../config/secret.ts';
import type { MountedSecret } from './config-secrets.ts';

export const CONTAINER = 'pgglide';
export const CONFIG_FOLDER = '/etc/pgglide';
export const CONFIG_KEY = 'pgglide.yaml';
/** The image's user. */
const UID = 1000;
const READ_BY_GROUP = 0o440;

export interface PodInput {
  readonly image: string;
  /** Of the ConfigMap that holds pgglide.yaml. */
  readonly configMap: string;
  readonly serviceAccount: string;
  readonly secrets: readonly MountedSecret[];
  readonly args: readonly string[];
  readonly container: Pick<V1Container, 'resources'> & Partial<V1Container>;
  readonly env?: readonly V1EnvVar[];
  readonly terminationGracePeriodSeconds: number;
}

export function podSpec(input: PodInput): V1PodSpec {
  const { image, args, container, env = [] } = input;
  return {
    serviceAccountName: input.serviceAccount,
    terminationGracePeriodSeconds: input.terminationGracePeriodSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: UID,
      runAsGroup: UID,
      // What is mounted from Secrets is the group's to read, and nobody else's.
      fsGroup: UID,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: CONTAINER,
        image,
        imagePullPolicy: 'IfNotPresent',
        args: [...args],
        env: [...ownEnvironment(), ...env],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'config', mountPath: CONFIG_FOLDER, readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
          ...input.secrets.map(({ name }) => ({
            name: volumeName(input.secrets, name),
            mountPath: `${MOUNTED_SECRETS}/${name}`,
            readOnly: true,
          })),
        ],
        ...container,
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: input.configMap } },
      { name: 'tmp', emptyDir: {} },
      ...input.secrets.map((secret) => secretVolume(volumeName(input.secrets, secret.name), secret)),
    ],
  };
}

const ownEnvironment = (): V1EnvVar[] => [
  { name: 'PGGLIDE_CONFIG', value: `${CONFIG_FOLDER}/${CONFIG_KEY}` },
  { name: 'HOME', value: '/tmp' },
  { name: NAMESPACE_VARIABLE, valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
];

/** A Secret's name may be longer than a volume's, and hold dots. */
const volumeName = (secrets: readonly MountedSecret[], name: string): string =>
  `secret-${secrets.findIndex((secret) => secret.name === name)}`;

const secretVolume = (volume: string, { name, keys, optional }: MountedSecret): V1Volume => ({
  name: volume,
  secret: {
    secretName: name,
    defaultMode: READ_BY_GROUP,
    ...(keys === undefined ? {} : { items: keys.map((key) => ({ key, path: key })) }),
    ...(optional ? { optional } : {}),
  },
});
