/** Which cluster: nobody's production by accident. */

import { existsSync } from 'node:fs';
import { LabError } from '../folder.ts';
import { type Cluster, kubectl } from './kubectl.ts';

export const DEFAULT_NAMESPACE = 'lab-migration';
const K3S_KUBECONFIG = '/etc/rancher/k3s/k3s.yaml';

interface KubeConfig {
  readonly 'current-context': string;
  readonly contexts:
    | readonly { readonly name: string; readonly context: { readonly cluster: string } }[]
    | null;
  readonly clusters:
    | readonly { readonly name: string; readonly cluster: { readonly server: string } }[]
    | null;
}

const LOCAL_NAMES =
  /^(k3d-|kind-|minikube$|k3s$|rancher-desktop$|docker-desktop$|orbstack$|colima($|-)|microk8s$)/;
const LOOPBACK = /^https?:\/\/(127\.|localhost[:/]|\[::1\])/;

/** A cluster that can only be this machine's: by its name, or by an address that no other machine has. */
export const isLocal = (context: string, server: string): boolean =>
  LOCAL_NAMES.test(context) || LOOPBACK.test(server);

/** @throws {LabError} there is none, or one that nobody named and that is not of the local kind */
export async function chooseCluster(
  context: string | undefined,
  namespace = DEFAULT_NAMESPACE,
): Promise<Cluster> {
  const kubeconfig = kubeconfigPath();
  const any = { context: '', kubeconfig, namespace: '' };
  const config = JSON.parse(await kubectl(any, ['config', 'view', '-o', 'json'])) as KubeConfig;
  const name = context ?? config['current-context'];
  const known = config.contexts?.find((one) => one.name === name);
  if (known === undefined) {
    const names = config.contexts?.map((one) => one.name).join(', ') || 'none';
    throw new LabError(
      name === ''
        ? 'kubectl knows no cluster. On k3s: export KUBECONFIG=/etc/rancher/k3s/k3s.yaml. Without one: --mode local'
        : `kubectl has no context "${name}". There is: ${names}`,
    );
  }
  const server = config.clusters?.find((one) => one.name === known.context.cluster)?.cluster.server ?? '';
  if (context === undefined && !isLocal(name, server)) {
    throw new LabError(
      `kubectl's context "${name}" (${server}) does not look like a cluster of this machine. If it is meant: --context ${name}`,
    );
  }
  return { context: name, kubeconfig, namespace };
}

function kubeconfigPath(): string | undefined {
  if (process.env.KUBECONFIG) return process.env.KUBECONFIG;
  const own = `${process.env.HOME ?? ''}/.kube/config`;
  return !existsSync(own) && existsSync(K3S_KUBECONFIG) ? K3S_KUBECONFIG : undefined;
}

interface Version {
  readonly serverVersion?: { readonly minor: string; readonly gitVersion: string };
}

/** Resolves to its version. @throws {LabError} it does not answer, is too old, or does not let us */
export async function requireCluster(cluster: Cluster): Promise<string> {
  const text = await kubectl(cluster, ['version', '-o', 'json', '--request-timeout=10s']).catch(
    (error: Error) => {
      throw new LabError(`The cluster of context "${cluster.context}" does not answer: ${error.message}`);
    },
  );
  const { serverVersion } = JSON.parse(text) as Version;
  const minor = Number.parseInt(serverVersion?.minor ?? '', 10);
  if (minor < 20)
    throw new LabError(`Kubernetes 1.20 or later is needed, this is ${serverVersion?.gitVersion}`);
  return serverVersion?.gitVersion ?? '?';
}
