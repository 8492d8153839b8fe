/** Which cluster, and as whom: kubectl's own rules, and no guess where they name none. */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { homeFolder } from '../base/home-folder.ts';
import { PrerequisiteError, UsageError } from '../domain/errors.ts';
import type { KubernetesClient } from './load-client.ts';

export interface ClusterChoice {
  /** Path of a kubeconfig file; undefined: $KUBECONFIG, then ~/.kube/config, then the pod we run in. */
  readonly kubeconfig?: string | undefined;
  /** Undefined: the kubeconfig's current one. */
  readonly context?: string | undefined;
  /** Undefined: the context's, or `default`. */
  readonly namespace?: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * @throws {UsageError} `kubeconfig_invalid`, `context_unknown`
 * @throws {PrerequisiteError} `cluster_not_named`
 */
export function readKubeConfig(
  { KubeConfig: Config }: KubernetesClient,
  choice: ClusterChoice,
  env: Environment,
): KubeConfig {
  const files = kubeconfigFiles(choice, env);
  const config = new Config();
  if (files.length > 0) loadFiles(config, files, Config);
  else if (env.KUBERNETES_SERVICE_HOST && existsSync(SERVICE_ACCOUNT_TOKEN)) config.loadFromCluster();
  else throw notNamed();
  chooseContext(config, choice.context);
  return config;
}

function kubeconfigFiles({ kubeconfig }: ClusterChoice, env: Environment): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  if (env.KUBECONFIG) {
    const named = env.KUBECONFIG.split(delimiter).filter((path) => path !== '');
    const found = named.filter((path) => existsSync(path));
    return found.length > 0 ? found : named;
  }
  const own = join(env.HOME || homeFolder(), '.kube', 'config');
  return existsSync(own) ? [own] : [];
}

function loadFiles(config: KubeConfig, files: readonly string[], Config: new () => KubeConfig): void {
  for (const [index, file] of files.entries()) {
    const next = index === 0 ? config : new Config();
    try {
      next.loadFromFile(file);
      if (next !== config) addWhatIsNew(config, next);
    } catch (error) {
      // The library's message may quote the file, and the file holds keys.
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(
        'kubeconfig_invalid',
        `Cannot read the kubeconfig ${file}${code ? ` (${code})` : ''}`,
        {
          hint: 'Name a file that kubectl can read, with kubernetes.kubeconfig or KUBECONFIG.',
        },
      );
    }
  }
}

/** What an earlier file has said counts. */
function addWhatIsNew(config: KubeConfig, next: KubeConfig): void {
  for (const cluster of next.getClusters())
    if (config.getCluster(cluster.name) === null) config.addCluster(cluster);
  for (const user of next.getUsers()) if (config.getUser(user.name) === null) config.addUser(user);
  for (const context of next.getContexts())
    if (config.getContextObject(context.name) === null) config.addContext(context);
  if (!config.getCurrentContext()) config.setCurrentContext(next.getCurrentContext());
}

function chooseContext(config: KubeConfig, context: string | undefined): void {
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  if (config.getContextObject(name) !== null && config.getCurrentCluster() !== null) return;
  const known = config.getContexts().map((each) => each.name);
  throw new UsageError(
    'context_unknown',
    name ? `The kubeconfig has no usable context "${name}"` : 'The kubeconfig has no current context',
    {
      hint: `Name one with kubernetes.context: ${known.length > 0 ? known.join(', ') : 'the kubeconfig has none'}.`,
      facts: { contexts: known },
    },
  );
}

const notNamed = (): PrerequisiteError =>
  new PrerequisiteError('cluster_not_named', 'No Kubernetes cluster is named', {
    hint: 'Set KUBECONFIG or kubernetes.kubeconfig, or run in a pod with a service account.',
  });
