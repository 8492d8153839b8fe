/** What the traffic switch asks of a cluster. Pure. */

import type { KubernetesApplication } from '../config/settings.ts';
import type { Right } from '../kubernetes/right.ts';

const verbs = (group: string, resource: string, ...list: string[]): Right[] =>
  list.map((verb) => ({ verb, group, resource }));

/** In the application's namespace. Creating cannot be bound to a name, so none of it is. */
export function trafficRights({ kind, workloads }: KubernetesApplication): Right[] {
  const own = ['get', 'create', 'patch', 'delete'];
  const kinds = new Set(workloads.map((workload) => workload.kind));
  kinds.delete('Deployment');
  return [
    ...(kind === 'ConfigMap' ? verbs('', 'configmaps', 'get', 'patch') : []),
    ...verbs('', 'secrets', ...own),
    ...verbs('', 'services', ...own),
    ...verbs('apps', 'deployments', ...own),
    ...[...kinds].flatMap((each) => verbs('apps', `${each.toLowerCase()}s`, 'get', 'patch')),
    ...verbs('policy', 'poddisruptionbudgets', ...own),
    ...verbs('', 'pods', 'list'),
    // A web socket's request is a GET; newer API servers ask for `create` too.
    ...verbs('', 'pods/portforward', 'get', 'create'),
  ];
}
