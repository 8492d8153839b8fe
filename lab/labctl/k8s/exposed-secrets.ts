/** Looks for passwords where they do not belong: in anything of the namespace but a Secret, in logs, in the report. */

import { readReport } from '../report-file.ts';
import { type Cluster, type KubeObject, list } from './kubectl.ts';
import { logsOf } from './pods.ts';

const KINDS = 'configmaps,services,pods,deployments,statefulsets,daemonsets,jobs,events';
const MOST_LOG_BYTES = 16 * 1024 * 1024;

export async function exposedInCluster(cluster: Cluster, secrets: readonly string[]): Promise<string[]> {
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64')]);
  const holds = (text: string) => forms.some((form) => text.includes(form));
  const objects = await list(cluster, KINDS);
  const places = objects.filter((object) => holds(JSON.stringify(object))).map(nameOf);
  const pods = objects.filter(({ kind }) => kind === 'Pod');
  const logs = await Promise.all(pods.map((pod) => logsOf(cluster, pod.metadata.name, MOST_LOG_BYTES)));
  const loud = pods.filter((_, index) => holds(logs[index] ?? '')).map((pod) => `the log of ${nameOf(pod)}`);
  return [...places, ...loud, ...(holds(readReport() ?? '') ? ['the report'] : [])];
}

const nameOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;
