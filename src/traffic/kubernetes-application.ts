/** The application's ConfigMap or Secret, and its workloads: what in them is changed, and put back. Pure. */

import type { V1ConfigMap, V1PodSpec, V1Secret } from '@kubernetes/client-node';
import type { KubernetesApplication } from '../config/settings.ts';
import { PrerequisiteError, RefusedError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';
import { type Endpoint, endpointIn, sslModeIn, withEndpoint } from './database-endpoint.ts';

/** On the ConfigMap or Secret: which migration has it, and where the application pointed before. */
export const OWNER = 'pgglide.io/migration';
export const ORIGINAL = 'pgglide.io/original';
/** On a workload's pods: those that have read the changed configuration. Taken away, the old pods' template is back. */
export const THROUGH_PROXY = 'pgglide.io/through-proxy-of';

/** Where an application says nothing of a port. */
const DEFAULT_PORT = '5432';
const NEEDS_TLS: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

export type Holder = V1ConfigMap | V1Secret;
type Application = Pick<KubernetesApplication, 'kind' | 'name' | 'keys'>;

const named = ({ kind, name }: Application): string => `${kind} "${name}"`;

/** @throws {PrerequisiteError} `application_key_missing` */
function textOf(application: Application, holder: Holder, key: string): string {
  const value = holder.data?.[key];
  if (value !== undefined) {
    return application.kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value;
  }
  throw new PrerequisiteError('application_key_missing', `${named(application)} has no key "${key}"`, {
    hint: `It has: ${Object.keys(holder.data ?? {}).join(', ') || 'none'}. Name the right one in traffic.kubernetes.`,
    facts: { key, keys: Object.keys(holder.data ?? {}) },
  });
}

/** @throws {PrerequisiteError} `application_key_missing`, `application_unreadable` */
export function currentEndpoint(application: Application, holder: Holder): Endpoint {
  const { keys } = application;
  if ('host' in keys) {
    const host = textOf(application, holder, keys.host).trim();
    const port = keys.port === undefined ? undefined : textOf(application, holder, keys.port).trim();
    return { host, port };
  }
  const endpoint = endpointIn(textOf(application, holder, keys.url));
  if (endpoint !== undefined) return endpoint;
  // The value itself may hold a password.
  throw new PrerequisiteError(
    'application_unreadable',
    `${named(application)}: key "${keys.url}" holds no connection string that could be changed`,
    { hint: 'It must hold exactly one: postgresql://HOST:PORT/..., or host=... port=..., with one host.' },
  );
}

/** What the object's `data` must have for the application to connect there. */
function dataFor(application: Application, holder: Holder, endpoint: Endpoint): Record<string, string> {
  const { keys } = application;
  const encode = (value: string) =>
    application.kind === 'Secret' ? Buffer.from(value, 'utf8').toString('base64') : value;
  if ('url' in keys) {
    const changed = withEndpoint(textOf(application, holder, keys.url), endpoint) ?? '';
    return { [keys.url]: encode(changed) };
  }
  return {
    [keys.host]: encode(endpoint.host),
    ...(keys.port === undefined ? {} : { [keys.port]: encode(endpoint.port ?? DEFAULT_PORT) }),
  };
}

export const ownerOf = (holder: Holder): string | undefined => holder.metadata?.annotations?.[OWNER];

/**
 * A merge patch that points the application at the proxy and remembers where it pointed, if that was the source;
 * undefined: it is so already.
 * @throws {RefusedError} `application_taken`
 */
export function pointAtProxy(
  application: Application,
  holder: Holder,
  {
    migration,
    proxy,
    active,
  }: { readonly migration: string; readonly proxy: Endpoint; readonly active: Side },
): object | undefined {
  refuseTaken(application, holder, migration);
  const current = currentEndpoint(application, holder);
  const isThere = sameEndpoint(current, proxy);
  if (ownerOf(holder) === migration && isThere) return undefined;
  // There without our notes: whoever wrote it anew has copied it from what we had changed.
  const isFirst = ownerOf(holder) !== migration && !isThere && active === 'source';
  const original = isFirst ? { [ORIGINAL]: JSON.stringify(current) } : {};
  return {
    metadata: { annotations: { [OWNER]: migration, ...original } },
    data: dataFor(application, holder, proxy),
  };
}

/** A merge patch that points it straight at a database; undefined: it does. The notes stay until `letGo`. */
export function pointAt(application: Application, holder: Holder, endpoint: Endpoint): object | undefined {
  if (sameEndpoint(currentEndpoint(application, holder), endpoint)) return undefined;
  return { data: dataFor(application, holder, endpoint) };
}

export const letGo = (holder: Holder): object | undefined =>
  ownerOf(holder) === undefined
    ? undefined
    : { metadata: { annotations: { [OWNER]: null, [ORIGINAL]: null } } };

/** Where it pointed before we came, as its name for the source; undefined: we have not, or it was at the target by then. */
export function originalEndpoint(holder: Holder): Endpoint | undefined {
  const note = holder.metadata?.annotations?.[ORIGINAL];
  if (note === undefined) return undefined;
  const { host, port } = JSON.parse(note) as Endpoint;
  return { host, port };
}

/** @throws {RefusedError} `application_taken` */
export function refuseTaken(application: Application, holder: Holder, migration: string): void {
  const owner = ownerOf(holder);
  if (owner === undefined || owner === migration) return;
  throw new RefusedError('application_taken', `${named(application)} belongs to the migration "${owner}"`, {
    hint: `Let that one end (pgglide -m ${owner} complete, or abort), then try again.`,
    facts: { owner },
  });
}

/** What would fail only once the application is restarted. @throws {PrerequisiteError} `application_immutable`, `application_wants_tls` */
export function assertChangeable(application: Application, holder: Holder, offersTls: boolean): void {
  if (holder.immutable === true) {
    throw new PrerequisiteError('application_immutable', `${named(application)} is immutable`, {
      hint: 'Its values cannot be changed: give the workloads one that is not.',
    });
  }
  const { keys } = application;
  const sslMode = 'url' in keys ? sslModeIn(textOf(application, holder, keys.url)) : undefined;
  if (offersTls || !NEEDS_TLS.has(sslMode ?? '')) return;
  throw new PrerequisiteError('application_wants_tls', `${named(application)} asks for sslmode=${sslMode}`, {
    hint: 'Name a certificate for the proxy’s Service with traffic.kubernetes.tlsSecret.',
  });
}

/** Equal as seen by a client. */
export const sameEndpoint = (one: Endpoint, other: Endpoint): boolean =>
  one.host === other.host && (one.port ?? DEFAULT_PORT) === (other.port ?? DEFAULT_PORT);

/** Whether pods of this kind read the ConfigMap or Secret: as environment, as a file, or as part of one. */
export function reads({ kind, name }: Application, pod: V1PodSpec | undefined): boolean {
  const containers = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])];
  const isMap = kind === 'ConfigMap';
  return (
    containers.some(
      ({ envFrom = [], env = [] }) =>
        envFrom.some(({ configMapRef, secretRef }) => (isMap ? configMapRef : secretRef)?.name === name) ||
        env.some(
          ({ valueFrom }) => (isMap ? valueFrom?.configMapKeyRef : valueFrom?.secretKeyRef)?.name === name,
        ),
    ) ||
    (pod?.volumes ?? []).some(
      ({ configMap, secret, projected }) =>
        (isMap ? configMap?.name : secret?.secretName) === name ||
        projected?.sources?.some((source) => (isMap ? source.configMap : source.secret)?.name === name),
    )
  );
}
