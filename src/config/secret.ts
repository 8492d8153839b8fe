/** Secrets of a Kubernetes cluster: mounted where our own manifests put them, else read through the API. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../domain/errors.ts';

export interface SecretRef {
  readonly name: string;
  /** Undefined: the one that is worked in. */
  readonly namespace?: string | undefined;
}

/** Key -> value. */
export type SecretContent = Readonly<Record<string, string>>;
/** @throws {PgglideError} `cluster_*` when the cluster does not show it */
export type ReadSecret = (ref: SecretRef) => Promise<SecretContent>;

export interface SecretSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined: only what is mounted can be read. */
  readonly readSecret?: ReadSecret | undefined;
}

/** Where the manifests of `pgglide k8s render` mount Secrets: one folder each. */
export const MOUNTED_SECRETS = '/run/secrets/pgglide';
/** The pod's own namespace, where its mounted Secrets are from. */
export const NAMESPACE_VARIABLE = 'PGGLIDE_NAMESPACE';
const FOLDER_VARIABLE = 'PGGLIDE_SECRETS';

/** The folder of a mounted Secret; undefined when it is not mounted here. */
export function mountedSecret({ name, namespace }: SecretRef, env: SecretSource['env']): string | undefined {
  if (namespace !== undefined && namespace !== env[NAMESPACE_VARIABLE]) return undefined;
  const folder = join(env[FOLDER_VARIABLE] ?? MOUNTED_SECRETS, name);
  return existsSync(folder) ? folder : undefined;
}

/** @throws {UsageError} `secret_unavailable` when it is neither mounted nor to be asked for */
export async function readSecretContent(ref: SecretRef, source: SecretSource): Promise<SecretContent> {
  const folder = mountedSecret(ref, source.env);
  if (folder !== undefined) return contentOf(folder);
  if (source.readSecret !== undefined) return source.readSecret(ref);
  throw new UsageError('secret_unavailable', `The Secret ${ref.name} is not mounted in ${MOUNTED_SECRETS}`, {
    hint: 'Run it in a pod that pgglide k8s render describes.',
  });
}

/** @throws {UsageError} `secret_key_missing` */
export function secretValue(content: SecretContent, key: string, { name }: SecretRef): string {
  const value = content[key];
  if (value !== undefined && value !== '') return value;
  throw new UsageError('secret_key_missing', `The Secret ${name} has no key "${key}"`, {
    hint: `Its keys: ${Object.keys(content).join(', ') || 'none'}.`,
  });
}

/** The kubelet keeps its own links beside the keys, their names begin with two dots. */
function contentOf(folder: string): SecretContent {
  const keys = readdirSync(folder).filter((name) => !name.startsWith('..'));
  return Object.fromEntries(keys.map((key) => [key, readFileSync(join(folder, key), 'utf8')]));
}
