/** What the traffic switch asks of a cluster: of the application's objects and of its own, by name wherever RBAC can. Pure. */

import type { KubernetesApplication } from '../config/settings.ts';
import type { Right } from '../kubernetes/right.ts';
import { proxyName } from './kubernetes-proxy-objects.ts';

const verbs = (
  group: string,
  resource: string,
  list: readonly string[],
  names?: readonly string[],
): Right[] => list.map((verb) => ({ verb, group, resource, ...(names === undefined ? {} : { names }) }));

/** In the application's namespace. */
export function trafficRights({ kind, name, workloads }: KubernetesApplication, migration: string): Right[] {
  const own = [proxyName(migration)];
  const readAndChange = ['get', 'patch'];
  const kinds = [...new Set(workloads.map((workload) => workload.kind))];
  const ofKind = (wanted: string) =>
    workloads.filter((each) => each.kind === wanted).map((each) => each.name);
  return [
    ...verbs('', `${kind.toLowerCase()}s`, readAndChange, [name]),
    ...kinds.flatMap((each) => verbs('apps', `${each.toLowerCase()}s`, readAndChange, ofKind(each))),
    // Ours. Applying one that is not there yet is a patch that creates.
    ...verbs('', 'secrets', ['create']),
    ...verbs('', 'secrets', ['patch', 'delete'], own),
    ...verbs('', 'services', ['create']),
    ...verbs('', 'services', ['patch', 'delete'], own),
    ...verbs('apps', 'deployments', ['create']),
    ...verbs('apps', 'deployments', ['get', 'patch', 'delete'], own),
    ...verbs('policy', 'poddisruptionbudgets', ['create']),
    ...verbs('policy', 'poddisruptionbudgets', ['patch', 'delete'], own),
    ...verbs('', 'pods', ['list']),
    // One that does not become ready keeps a StatefulSet from going back. Its pods are told by no Role from others.
    ...(kinds.includes('StatefulSet') ? verbs('', 'pods', ['delete']) : []),
    // A web socket's request is a GET; newer API servers ask for `create` too. Pods have no names of ours.
    ...verbs('', 'pods/portforward', ['get', 'create']),
  ];
}
