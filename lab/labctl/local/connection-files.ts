/** What the learner connects with: a service file and a password file, as libpq reads them. */

import { join } from 'node:path';
import { APP_USER, DATABASE, type Paths, writeWhole } from '../folder.ts';
import type { Secrets } from '../secrets.ts';
import { type Side, SUPERUSER, serverAddress } from './servers.ts';

export const serviceFile = (paths: Paths): string => join(paths.connect, 'pg_service.conf');
export const passwordFile = (paths: Paths): string => join(paths.connect, 'pgpass');
export const environmentFile = (paths: Paths): string => join(paths.connect, 'env.sh');

/** Written anew whenever a server has come. */
export function writeConnectionFiles(paths: Paths, secrets: Secrets): void {
  const services: string[] = [];
  const passwords: string[] = [];
  for (const side of ['source', 'target'] as const satisfies readonly Side[]) {
    const address = serverAddress(paths, side);
    if (address === undefined) continue;
    const { host, port, user, password } = address;
    services.push(`[${side}]\nhost=${host}\nport=${port}\nuser=${user}\ndbname=${DATABASE}\n`);
    passwords.push(`${host}:${port}:*:${user}:${password}`);
  }
  // The application's role has one password, wherever it logs in: on the servers, a proxy or a pooler.
  passwords.push(`127.0.0.1:*:*:${APP_USER}:${secrets.appPassword}`);
  writeWhole(serviceFile(paths), services.join('\n'));
  writeWhole(passwordFile(paths), `${passwords.join('\n')}\n`, 0o600);
  const variables = {
    LAB_DIR: paths.folder,
    PGSERVICEFILE: serviceFile(paths),
    PGPASSFILE: passwordFile(paths),
    SOURCE_PORT: String(serverAddress(paths, 'source')?.port ?? ''),
    TARGET_PORT: String(serverAddress(paths, 'target')?.port ?? ''),
    SUPERUSER,
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  writeWhole(environmentFile(paths), `${lines.join('\n')}\n`);
}

/** For a POSIX shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
