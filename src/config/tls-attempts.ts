/**
 * How TLS is tried with a server, as libpq's sslmode says: one rule for our own sessions, the proxy's and PgBouncer's console.
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { authoritiesFile, type ServerAddress } from './server-address.ts';

/** False: without TLS. */
export type TlsAttempt = false | ConnectionOptions;

/** In libpq's order: `prefer` tries TLS first and then without, `allow` the other way round. A Unix socket is never encrypted. */
export function tlsAttempts(address: ServerAddress): TlsAttempt[] {
  if (address.host.startsWith('/')) return [false];
  const { sslMode } = address;
  switch (sslMode) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, { ...given(address), ...UNVERIFIED }];
    case 'prefer':
      return [{ ...given(address), ...UNVERIFIED }, false];
    case 'require':
      return [{ ...given(address), ...(address.sslRootCert === undefined ? UNVERIFIED : CHAIN_ONLY) }];
    case 'verify-ca':
      return [{ ...given(address), ...CHAIN_ONLY }];
    case 'verify-full':
      return [given(address)];
  }
}

/** Below verify-ca encryption is asked for, not a proof of identity: libpq's meaning, chosen by the user. */
const UNVERIFIED: ConnectionOptions = { rejectUnauthorized: false };
const CHAIN_ONLY: ConnectionOptions = { checkServerIdentity: () => undefined };

function given(address: ServerAddress): ConnectionOptions {
  const read = (path: string) => readFileSync(path, 'utf8');
  const authorities = authoritiesFile(address);
  return {
    ...named(address.host),
    ...(authorities === undefined ? {} : { ca: read(authorities) }),
    ...(address.sslCert === undefined ? {} : { cert: read(address.sslCert) }),
    ...(address.sslKey === undefined ? {} : { key: read(address.sslKey) }),
  };
}

/** What the certificate is held against. Some servers are found by the name in TLS's greeting (SNI); an IP address cannot be sent in it. */
const named = (host: string): ConnectionOptions => (isIP(host) === 0 ? { servername: host } : { host });
