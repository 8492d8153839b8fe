/** The live page beside the Job: it only reads, so its pod may do nothing in the cluster. Pure. */

import type { V1Deployment, V1Service, V1ServiceAccount } from '@kubernetes/client-node';
import { MOUNTED_SECRETS } from '../../config/secret.ts';
import { objectName, ownLabels } from './own-names.ts';
import { type PodInput, podSpec } from './pod-template.ts';

const PORT = 8433;
const PORT_NAME = 'http';
/** Of the Secret that the page's readers know. */
const TOKEN_KEY = 'token';
/** Open pages are told to go, and that is all there is to end. */
const GRACE_SECONDS = 10;

export const dashboardName = (migration: string): string => `${objectName(migration)}-dashboard`;

export type DashboardInput = Pick<PodInput, 'image' | 'configMap' | 'secrets'> & {
  readonly migration: string;
  /** It must ask the API server for Secrets of other namespaces. */
  readonly readsSecrets: boolean;
  /** Whether the proxies can be asked from its pod. */
  readonly withTraffic: boolean;
};

export function renderDashboard(input: DashboardInput): [V1ServiceAccount, V1Deployment, V1Service] {
  const { migration, readsSecrets } = input;
  const labels = ownLabels(migration, 'dashboard');
  const metadata = { name: dashboardName(migration), labels };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: readsSecrets },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: dashboardPod(input) },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      // Applied from the server's side, clusters before 1.22 want a port's protocol said.
      spec: {
        selector: labels,
        ports: [{ name: PORT_NAME, port: PORT, targetPort: PORT_NAME, protocol: 'TCP' }],
      },
    },
  ];
}

function dashboardPod({ migration, image, configMap, secrets, withTraffic }: DashboardInput) {
  const name = dashboardName(migration);
  const probe = (path: string) => ({ httpGet: { path, port: PORT_NAME } });
  return podSpec({
    image,
    configMap,
    serviceAccount: name,
    secrets: [...secrets, { name, keys: [TOKEN_KEY], optional: false }],
    args: [
      'dashboard',
      `--listen=0.0.0.0:${PORT}`,
      `--token-file=${MOUNTED_SECRETS}/${name}/${TOKEN_KEY}`,
      ...(withTraffic ? [] : ['--without-traffic']),
      '--no-input',
      '--no-color',
    ],
    terminationGracePeriodSeconds: GRACE_SECONDS,
    container: {
      ports: [{ name: PORT_NAME, containerPort: PORT, protocol: 'TCP' }],
      readinessProbe: { ...probe('/readyz'), periodSeconds: 5 },
      livenessProbe: { ...probe('/healthz'), periodSeconds: 10, failureThreshold: 6 },
      resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '512Mi' } },
    },
  });
}
