/**
 * A server named by its operator's cluster: which Service and which Secret that operator documents for it. Pure.
 *
 * @see https://cloudnative-pg.io/documentation/current/applications/
 * @see https://opensource.zalando.com/postgres-operator/docs/user.html
 * @see https://access.crunchydata.com/documentation/postgres-operator/latest/architecture/user-management
 */

import type { SecretRef } from './secret.ts';

export const OPERATORS = ['cloudnative-pg', 'zalando', 'crunchy'] as const;
export type Operator = (typeof OPERATORS)[number];

export interface OperatorCluster {
  readonly operator: Operator;
  readonly cluster: string;
  /** Undefined: the one that is worked in. */
  readonly namespace?: string | undefined;
  /** The role to log in as; undefined: the operator's superuser. */
  readonly user?: string | undefined;
  /** A Secret of another name than the operator's. */
  readonly secret?: string | undefined;
}

export interface ClusterAccess {
  /** Name of the Service that leads to the primary, with the namespace where one is given. */
  readonly host: string;
  readonly login: SecretRef;
  /** The login Secret's keys. */
  readonly userKey: 'username' | 'user';
  /** Undefined: the operator publishes no certificate of its authority. */
  readonly authority: (SecretRef & { readonly key: string }) | undefined;
}

const SUPERUSER = 'postgres';
const AUTHORITY_KEY = 'ca.crt';

interface Names {
  readonly service: (cluster: string) => string;
  readonly secret: (cluster: string, user: string) => string;
  readonly userKey: ClusterAccess['userKey'];
  readonly authority?: (cluster: string) => string;
}

const NAMES: Readonly<Record<Operator, Names>> = {
  'cloudnative-pg': {
    service: (cluster) => `${cluster}-rw`,
    // Only two roles have Secrets: the superuser, where it is enabled, and the database's owner.
    secret: (cluster, user) => `${cluster}-${user === SUPERUSER ? 'superuser' : 'app'}`,
    userKey: 'username',
    authority: (cluster) => `${cluster}-ca`,
  },
  zalando: {
    service: (cluster) => cluster,
    // An underscore may not be in a Secret's name.
    secret: (cluster, user) => `${user.replaceAll('_', '-')}.${cluster}.credentials.postgresql.acid.zalan.do`,
    userKey: 'username',
  },
  crunchy: {
    service: (cluster) => `${cluster}-primary`,
    secret: (cluster, user) => `${cluster}-pguser-${user}`,
    userKey: 'user',
    authority: (cluster) => `${cluster}-cluster-cert`,
  },
};

export function clusterAccess({
  operator,
  cluster,
  namespace,
  user,
  secret,
}: OperatorCluster): ClusterAccess {
  const names = NAMES[operator];
  const service = names.service(cluster);
  return {
    host: namespace === undefined ? service : `${service}.${namespace}.svc`,
    login: { name: secret ?? names.secret(cluster, user ?? SUPERUSER), namespace },
    userKey: names.userKey,
    authority:
      names.authority === undefined
        ? undefined
        : { name: names.authority(cluster), namespace, key: AUTHORITY_KEY },
  };
}
