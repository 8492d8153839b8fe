/** Somebody who may do only what a Role says: a service account, as a kubeconfig in a folder of the test's own. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, type V1Secret } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { until } from '../../src/base/async.ts';
import type { Cluster } from '../../src/kubernetes/cluster.ts';
import { policyRules, type Right } from '../../src/kubernetes/right.ts';
import { manifest } from './cluster.ts';

export interface LimitedUser extends AsyncDisposable {
  /** Path. */
  readonly kubeconfig: string;
}

export async function limitedUser(
  cluster: Cluster,
  name: string,
  rights: readonly Right[],
): Promise<LimitedUser> {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name };
  const objects = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: policyRules(rights) },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: cluster.namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, annotations: { 'kubernetes.io/service-account.name': name } },
      type: 'kubernetes.io/service-account-token',
    },
  ];
  for (const object of objects) await cluster.apply(manifest(object));
  const token = await until(
    'the account’s token',
    async () => (await cluster.read<V1Secret>({ apiVersion: 'v1', kind: 'Secret', name }))?.data?.token,
    { timeoutMs: 120_000, intervalMs: 100 },
  );
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-user-'));
  const kubeconfig = join(folder, 'config');
  await writeFile(kubeconfig, kubeconfigOf(cluster, Buffer.from(token, 'base64').toString()), {
    mode: 0o600,
  });
  return { kubeconfig, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

function kubeconfigOf({ namespace }: Cluster, token: string): string {
  const config = new KubeConfig();
  config.loadFromDefault();
  const { server, caData, caFile } = config.getCurrentCluster() ?? {};
  const ca = caData ? { 'certificate-authority-data': caData } : { 'certificate-authority': caFile };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, ...ca } }],
    users: [{ name: 'limited', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'limited', namespace } }],
    'current-context': 'test',
  });
}
