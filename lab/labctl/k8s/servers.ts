/** The two servers as this machine reaches them: through a forwarded port. */

import type { ServerAddress } from '../../../src/index.ts';
import { addressOf } from '../folder.ts';
import type { Secrets } from '../secrets.ts';
import { rowsOf, withSession } from '../session.ts';
import { openForward } from './forward.ts';
import type { Cluster } from './kubectl.ts';

export const SUPERUSER = 'postgres';
export const PORT = 5432;

export interface ReachableServer extends AsyncDisposable {
  readonly address: ServerAddress;
}

/** Whatever the Service leads to. @throws {LabError} nothing does */
export async function reachServer(
  cluster: Cluster,
  service: 'pg-source' | 'pg-target',
  { superuserPassword }: Secrets,
): Promise<ReachableServer> {
  const forward = await openForward(cluster, `service/${service}`, PORT);
  return {
    address: addressOf({ host: '127.0.0.1', port: forward.port }, SUPERUSER, superuserPassword),
    [Symbol.asyncDispose]: () => forward[Symbol.asyncDispose](),
  };
}

export interface ServerIdentity {
  readonly systemIdentifier: string;
  /** As 160014. */
  readonly versionNumber: number;
}

export async function identityOf(address: ServerAddress): Promise<ServerIdentity> {
  const [row] = await withSession(address, (session) =>
    rowsOf<ServerIdentity>(
      session,
      `SELECT system_identifier::text AS "systemIdentifier", current_setting('server_version_num')::integer AS "versionNumber"
       FROM pg_control_system()`,
    ),
  );
  return row ?? { systemIdentifier: '', versionNumber: 0 };
}
