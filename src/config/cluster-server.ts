/** `kubernetes:` of a server section: the operator's Service and Secret as libpq's keywords. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../domain/errors.ts';
import type { Keywords } from './conninfo-text.ts';
import { clusterAccess, type OperatorCluster } from './operator-cluster.ts';
import { mountedSecret, readSecretContent, type SecretSource, secretValue } from './secret.ts';
import type { ServerAddress } from './server-address.ts';

/** CloudNativePG's superuser may log in to any database. */
const ANY_DATABASE = '*';

/**
 * What the section itself does not say. The certificate is verified where the operator's authority is mounted;
 * elsewhere the connection is encrypted, and a warning says that nobody vouches for the other end.
 *
 * @param given the section's own keywords, which win
 * @throws {UsageError} `database_missing_in_secret`, `secret_unavailable`, `secret_key_missing`
 * @throws {PgglideError} `cluster_*`
 */
export async function clusterKeywords(
  cluster: OperatorCluster,
  given: Keywords,
  source: SecretSource & { readonly warn: (message: string) => void },
): Promise<Keywords> {
  const { host, login, userKey, authority } = clusterAccess({ ...cluster, user: given.get('user') });
  const content = await readSecretContent(login, source);
  const database = given.get('dbname') ?? content.dbname;
  if (database === undefined || database === ANY_DATABASE) throw databaseMissing(cluster.cluster);
  const keywords = new Map([
    ['host', host],
    ['user', secretValue(content, userKey, login)],
    ['password', secretValue(content, 'password', login)],
    ['dbname', database],
  ]);
  if (content.port !== undefined) keywords.set('port', content.port);
  if (!given.has('sslmode')) {
    const file = authority && authorityFile(authority, source.env);
    keywords.set('sslmode', file === undefined ? 'require' : 'verify-full');
    if (file !== undefined) keywords.set('sslrootcert', file);
    else
      source.warn(
        `${host}: TLS without a check of the server's certificate; sslmode and sslrootcert turn it on`,
      );
  }
  return new Map([...keywords, ...given]);
}

function authorityFile(
  { key, ...ref }: { name: string; namespace?: string | undefined; key: string },
  env: SecretSource['env'],
): string | undefined {
  const folder = mountedSecret(ref, env);
  const file = folder === undefined ? undefined : join(folder, key);
  return file !== undefined && existsSync(file) ? file : undefined;
}

/** Our mounted file is not on the other server, which connects as well: it gets the encryption without the check. */
export const withoutMountedAuthority = (address: ServerAddress): ServerAddress =>
  address.sslMode.startsWith('verify-')
    ? { ...address, sslMode: 'require', sslRootCert: undefined }
    : address;

const databaseMissing = (cluster: string): UsageError =>
  new UsageError('database_missing_in_secret', `The Secret of cluster ${cluster} names no database`, {
    hint: 'Say which one to migrate, with `database` beside `kubernetes`.',
  });
