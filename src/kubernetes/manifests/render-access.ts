/** Who our pods are, and the least that they may do. Pure. */

import type { V1PolicyRule, V1Role, V1RoleBinding, V1ServiceAccount } from '@kubernetes/client-node';
import type { SecretRef } from '../../config/secret.ts';
import { policyRules, type Right } from '../right.ts';
import { objectName, ownLabels } from './own-names.ts';

export interface AccessRight extends Right {
  /** What it is needed for: the table of docs/kubernetes.md. */
  readonly why: string;
}

/** Events on the Job, and the Lease that shows who is at work. Nothing else: configuration and Secrets are mounted. */
export const jobRights = (migration: string): AccessRight[] => {
  const names = [objectName(migration)];
  const lease = { group: 'coordination.k8s.io', resource: 'leases' };
  return [
    { verb: 'create', group: '', resource: 'events', why: 'one Event a phase, on the Job' },
    { verb: 'create', ...lease, why: 'the Lease that shows which pod is at work' },
    { verb: 'patch', ...lease, names, why: 'to renew it' },
  ];
};

/** `get` of one Secret in another namespace than the pods'. */
const secretRight = (name: string): AccessRight => ({
  verb: 'get',
  group: '',
  resource: 'secrets',
  names: [name],
  why: 'the login of a server in another namespace',
});

export const accessRules = (rights: readonly Right[]): V1PolicyRule[] =>
  policyRules(rights).map(({ apiGroups, resources, verbs, resourceNames }) => ({
    apiGroups: [...apiGroups],
    resources: [...resources],
    verbs: [...verbs],
    ...(resourceNames === undefined ? {} : { resourceNames: [...resourceNames] }),
  }));

export interface AccessInput {
  readonly migration: string;
  readonly namespace: string;
  readonly rights: readonly AccessRight[];
  readonly secretsElsewhere: readonly (SecretRef & { readonly namespace: string })[];
  /** Accounts beside the Job's that log in to the servers as well. */
  readonly otherReaders?: readonly string[];
}

export function renderAccess(input: AccessInput): [V1ServiceAccount, ...(V1Role | V1RoleBinding)[]] {
  const { migration, namespace, rights, secretsElsewhere, otherReaders = [] } = input;
  const name = objectName(migration);
  const account: V1ServiceAccount = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, labels: ownLabels(migration) },
  };
  const far = [...new Set(secretsElsewhere.map((secret) => secret.namespace))];
  return [
    account,
    ...bound({ migration, namespace, rules: accessRules(rights), accounts: [name] }),
    ...far.flatMap((elsewhere) => {
      const names = secretsElsewhere
        .filter((secret) => secret.namespace === elsewhere)
        .map((one) => one.name);
      return bound({
        migration,
        namespace,
        into: elsewhere,
        rules: names.flatMap((one) => accessRules([secretRight(one)])),
        accounts: [name, ...otherReaders],
      });
    }),
  ];
}

interface Grant {
  readonly migration: string;
  /** The accounts'. */
  readonly namespace: string;
  /** Another namespace than that. */
  readonly into?: string;
  readonly rules: V1PolicyRule[];
  readonly accounts: readonly string[];
}

function bound({ migration, namespace, into, rules, accounts }: Grant): [V1Role, V1RoleBinding] {
  const name = objectName(migration);
  const metadata = {
    name,
    ...(into === undefined ? {} : { namespace: into }),
    labels: ownLabels(migration),
  };
  return [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: accounts.map((account) => ({ kind: 'ServiceAccount', name: account, namespace })),
    },
  ];
}
