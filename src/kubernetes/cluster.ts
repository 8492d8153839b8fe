/**
 * A Kubernetes cluster as far as we need one: read, apply, patch, remove, and a connection to a pod's port. Every call
 * is bounded, and fails with an error that says what mends it (api-failure.ts).
 */

import type { Duplex, Writable } from 'node:stream';
import type { KubeConfig, KubernetesObject, KubernetesObjectApi, LogOptions } from '@kubernetes/client-node';
import { withDeadline } from '../base/async.ts';
import { PgglideError } from '../domain/errors.ts';
import { type Attempt, apiFailure, forbidden, refusedByRule } from './api-failure.ts';
import { type ClusterChoice, type Environment, readKubeConfig } from './kubeconfig.ts';
import { type KubernetesClient, loadKubernetesClient } from './load-client.ts';
import { connectToPod } from './pod-connection.ts';
import type { Right } from './right.ts';

const CALL_TIMEOUT_MS = 20_000;
const CONFLICT_ATTEMPTS = 8;
/** Their answers are what a refusal is judged by. */
const REVIEWS = 'authorization.k8s.io';
/** Whose fields are whose, in server-side apply. */
const FIELD_MANAGER = 'pgglide';
/** Only objects of our own are applied: whoever else set a field of theirs does not keep it. */
const FORCE = true;

export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface ObjectRef extends Kind {
  readonly name: string;
  /** Undefined: the cluster's chosen one. */
  readonly namespace?: string | undefined;
}

/** With its name; everything we write has one. */
export type NamedObject = KubernetesObject & Kind & { metadata: { name: string; namespace?: string } };

/**
 * Nothing is asked of the cluster yet.
 * @throws {UsageError} `kubeconfig_invalid`, `context_unknown`
 * @throws {PrerequisiteError} `cluster_not_named`
 */
export async function openCluster(choice: ClusterChoice, env: Environment = process.env): Promise<Cluster> {
  const client = await loadKubernetesClient();
  return new Cluster(client, readKubeConfig(client, choice, env), choice.namespace);
}

export class Cluster {
  readonly namespace: string;
  /** URL of the API server. */
  readonly server: string;
  readonly context: string;
  readonly #client: KubernetesClient;
  readonly #config: KubeConfig;
  readonly #objects: KubernetesObjectApi;

  constructor(client: KubernetesClient, config: KubeConfig, namespace: string | undefined) {
    this.#client = client;
    this.#config = config;
    this.context = config.getCurrentContext();
    this.server = config.getCurrentCluster()?.server ?? '';
    this.namespace = namespace ?? config.getContextObject(this.context)?.namespace ?? 'default';
    this.#objects = client.KubernetesObjectApi.makeApiClient(config);
  }

  /** Such as "v1.20.2". The first thing to ask: it tells whether the cluster answers at all. */
  async version(): Promise<string> {
    const api = this.#config.makeApiClient(this.#client.VersionApi);
    const attempt = this.#attempt('get', { apiVersion: 'v1', kind: 'version', name: undefined });
    const { gitVersion } = await this.#bounded(attempt, () => api.getCode());
    return gitVersion;
  }

  /** Whether the API server knows the kind: policy/v1 for one is not in 1.20. */
  async serves({ apiVersion, kind }: Kind): Promise<boolean> {
    const attempt = this.#attempt('list', { apiVersion, kind, name: undefined });
    try {
      await this.#bounded(attempt, () =>
        this.#objects.list(apiVersion, kind, this.namespace, ...NO_READ_OPTIONS, undefined, undefined, 1),
      );
      return true;
    } catch (error) {
      const { code } = error as PgglideError;
      if (code === 'cluster_kind_unknown') return false;
      if (code === 'cluster_forbidden') return true;
      throw error;
    }
  }

  /** Undefined when it is not there. */
  async read<T extends KubernetesObject>(ref: ObjectRef): Promise<T | undefined> {
    try {
      return await this.#call('get', ref, (header) =>
        this.#objects.read<T & KubernetesObject>(header as never),
      );
    } catch (error) {
      if (error instanceof PgglideError && error.code === 'cluster_object_missing') return undefined;
      throw error;
    }
  }

  /** @throws {PrerequisiteError} `cluster_object_missing` */
  async require<T extends KubernetesObject>(ref: ObjectRef): Promise<T> {
    return this.#call('get', ref, (header) => this.#objects.read<T & KubernetesObject>(header as never));
  }

  async list<T extends KubernetesObject>(
    { apiVersion, kind, namespace = this.namespace }: Kind & { readonly namespace?: string | undefined },
    selector: { readonly labels?: string; readonly fields?: string } = {},
  ): Promise<T[]> {
    const attempt = this.#attempt('list', { apiVersion, kind, name: undefined, namespace });
    const { labels, fields } = selector;
    const { items } = await this.#bounded(attempt, () =>
      this.#objects.list<T>(apiVersion, kind, namespace, ...NO_READ_OPTIONS, fields, labels),
    );
    return items;
  }

  /** Server-side apply: of an object of our own, whole. Safe to repeat. */
  apply<T extends NamedObject>(object: T): Promise<T> {
    const strategy = this.#client.PatchStrategy.ServerSideApply;
    return this.#write('patch', object, (whole) =>
      this.#objects.patch(whole, undefined, undefined, FIELD_MANAGER, FORCE, strategy),
    );
  }

  /** @throws {PrerequisiteError} `cluster_object_changed` when it is there already */
  create<T extends NamedObject>(object: T): Promise<T> {
    return this.#write('create', object, (whole) =>
      this.#objects.create(whole, undefined, undefined, FIELD_MANAGER),
    );
  }

  /**
   * Changes what is somebody else's: `change` sees the object as it is and returns a merge patch, or undefined for
   * nothing to do. The patch holds for exactly what `change` saw; when the object changed meanwhile it is asked again.
   *
   * @throws {PrerequisiteError} `cluster_object_missing`, `cluster_object_changed` after several attempts
   */
  async patch<T extends KubernetesObject>(
    ref: ObjectRef,
    change: (current: T) => object | undefined,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const current = await this.require<T>(ref);
      const wanted = change(current) as Record<string, unknown> | undefined;
      if (wanted === undefined) return current;
      const { resourceVersion } = current.metadata ?? {};
      try {
        return await this.#call('patch', ref, (header) =>
          this.#objects.patch<T & KubernetesObject>(
            {
              ...wanted,
              ...header,
              metadata: { ...(wanted.metadata ?? {}), ...header.metadata, resourceVersion },
            } as never,
            undefined,
            undefined,
            FIELD_MANAGER,
            undefined,
            this.#client.PatchStrategy.MergePatch,
          ),
        );
      } catch (error) {
        const isConflict = error instanceof PgglideError && error.code === 'cluster_object_changed';
        if (!isConflict || attempt >= CONFLICT_ATTEMPTS) throw error;
      }
    }
  }

  /** With what belongs to it. @returns whether it was there */
  async remove(ref: ObjectRef): Promise<boolean> {
    try {
      await this.#call('delete', ref, (header) =>
        this.#objects.delete(header as never, undefined, undefined, undefined, undefined, 'Background'),
      );
      return true;
    } catch (error) {
      if (error instanceof PgglideError && error.code === 'cluster_object_missing') return false;
      throw error;
    }
  }

  /** Asks the cluster for each right, in the chosen namespace. @throws {PrerequisiteError} `cluster_forbidden`, naming all that are missing */
  async requireRights(rights: readonly Right[], namespace = this.namespace): Promise<void> {
    const allowed = await Promise.all(rights.map((right) => this.may(right, { namespace })));
    const missing = rights.filter((_, index) => !allowed[index]);
    if (missing.length > 0) throw forbidden(missing, namespace);
  }

  /** Whether we may, or `user` may, called as RBAC calls it. With `names`: on each of these objects. */
  async may(
    right: Right,
    { user, namespace = this.namespace }: { readonly user?: string; readonly namespace?: string } = {},
  ): Promise<boolean> {
    const names = right.names ?? [undefined];
    const answers = await Promise.all(names.map((name) => this.#review(right, { name, user, namespace })));
    return answers.every((allowed) => allowed);
  }

  /** A connection to a port on the pod's own loopback, through the API server. */
  async connect(pod: string, port: number, namespace = this.namespace): Promise<Duplex> {
    const attempt = {
      ...this.#attempt('create', { apiVersion: 'v1', kind: 'Pod', name: pod, namespace }),
      resource: 'pods/portforward',
    };
    const forward = new this.#client.PortForward(this.#config);
    return this.#bounded(attempt, () => connectToPod(forward, { namespace, pod, port }));
  }

  /** Writes the container's log; aborting the controller stops following. */
  async logs(pod: string, container: string, into: Writable, options: LogOptions): Promise<AbortController> {
    const attempt = {
      ...this.#attempt('get', { apiVersion: 'v1', kind: 'Pod', name: pod }),
      resource: 'pods/log',
    };
    const log = new this.#client.Log(this.#config);
    return this.#bounded(attempt, () => log.log(this.namespace, pod, container, into, options));
  }

  async #review(
    { verb, group, resource }: Right,
    { name, user, namespace }: { name: string | undefined; user: string | undefined; namespace: string },
  ): Promise<boolean> {
    const [plural = '', subresource] = resource.split('/');
    const resourceAttributes = {
      namespace,
      verb,
      group,
      resource: plural,
      ...(subresource ? { subresource } : {}),
      ...(name ? { name } : {}),
    };
    const api = this.#config.makeApiClient(this.#client.AuthorizationV1Api);
    const kind = user === undefined ? 'SelfSubjectAccessReview' : 'SubjectAccessReview';
    const attempt = this.#attempt('create', {
      apiVersion: 'authorization.k8s.io/v1',
      kind,
      name: undefined,
    });
    const { status } = await this.#bounded(attempt, () =>
      user === undefined
        ? api.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } })
        : api.createSubjectAccessReview({ body: { spec: { resourceAttributes, user } } }),
    );
    return status?.allowed === true;
  }

  #write<T extends NamedObject>(verb: string, object: T, work: (whole: T) => Promise<T>): Promise<T> {
    const { name, namespace } = object.metadata;
    const { apiVersion, kind } = object;
    const isApply = verb === 'patch';
    return this.#call(
      verb,
      { apiVersion, kind, name, namespace },
      (header) => work({ ...object, metadata: { ...object.metadata, ...header.metadata } }),
      isApply,
    );
  }

  #call<T>(
    verb: string,
    ref: ObjectRef,
    work: (header: NamedObject) => Promise<T>,
    isApply = false,
  ): Promise<T> {
    const { apiVersion, kind, name, namespace = this.namespace } = ref;
    const attempt = { ...this.#attempt(verb, { apiVersion, kind, name, namespace }), isApply };
    return this.#bounded(attempt, () => work({ apiVersion, kind, metadata: { name, namespace } }));
  }

  async #bounded<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(`${attempt.verb} ${attempt.kind}`, CALL_TIMEOUT_MS, work());
    } catch (error) {
      const failure = apiFailure(error, attempt);
      const isUnclear = failure.code === 'cluster_forbidden' && attempt.group !== REVIEWS;
      throw isUnclear && (await this.#isAllowed(attempt)) ? refusedByRule(error, attempt) : failure;
    }
  }

  async #isAllowed({ group, resource, verb, name, namespace, isApply }: Attempt): Promise<boolean> {
    const named = { verb, group, resource, ...(name === undefined ? {} : { names: [name] }) };
    const rights: Right[] = isApply ? [named, { verb: 'create', group, resource }] : [named];
    const answers = rights.map((right) => this.may(right, { namespace }));
    // A cluster that does not tell has not said yes.
    return (await Promise.all(answers).catch(() => [false])).every((allowed) => allowed);
  }

  #attempt(
    verb: string,
    ref: Kind & { readonly name: string | undefined; readonly namespace?: string | undefined },
  ): Attempt {
    const [group = ''] = ref.apiVersion.includes('/') ? ref.apiVersion.split('/') : [''];
    return {
      verb,
      group,
      resource: pluralOf(ref.kind),
      kind: ref.kind,
      name: ref.name,
      namespace: ref.namespace ?? this.namespace,
      server: this.server,
    };
  }
}

/** `pretty`, `exact` and `export` of the library's list(), none of which we want. */
const NO_READ_OPTIONS = [undefined, undefined, undefined] as const;

/** As RBAC names the kind. */
function pluralOf(kind: string): string {
  const lower = kind.toLowerCase();
  if (lower.endsWith('y')) return `${lower.slice(0, -1)}ies`;
  return lower.endsWith('s') ? `${lower}es` : `${lower}s`;
}
