/** The same server as another server must address it: across another network, with files of its own. Pure. */

import type { Keywords } from './conninfo-text.ts';
import type { ServerAddress, SslMode } from './server-address.ts';

/** `overrides` holds only what differs. Certificates out of our own ~/.postgresql are not there on the other machine: left to its libpq. */
export function seenByServer(address: ServerAddress, overrides: Keywords, home: string): ServerAddress {
  const get = (keyword: string) => overrides.get(keyword) || undefined;
  const portable = (path: string | undefined) =>
    path?.startsWith(`${home}/.postgresql/`) ? undefined : path;
  const port = get('port');
  return {
    ...address,
    host: get('hostaddr') ?? get('host') ?? address.host,
    port: port === undefined ? address.port : Number(port),
    user: get('user') ?? address.user,
    database: get('dbname') ?? address.database,
    password: get('password') ?? address.password,
    sslMode: (get('sslmode') as SslMode | undefined) ?? address.sslMode,
    sslRootCert: get('sslrootcert') ?? portable(address.sslRootCert),
    sslCert: get('sslcert') ?? portable(address.sslCert),
    sslKey: get('sslkey') ?? portable(address.sslKey),
    options: get('options') ?? address.options,
  };
}
