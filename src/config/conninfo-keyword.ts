/** What becomes of each of libpq's connection keywords here: used, without a meaning for us, or not supported. */

import { UsageError } from '../domain/errors.ts';
import { nearest } from './nearest.ts';

/** Taken into ServerAddress. */
const USED = [
  'service',
  'host',
  'hostaddr',
  'port',
  'dbname',
  'user',
  'password',
  'passfile',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslcertmode',
  'options',
  'connect_timeout',
] as const;

/** Accepted and without effect: we set our own, or it changes nothing that matters here. */
const WITHOUT_EFFECT = [
  'application_name',
  'fallback_application_name',
  'client_encoding',
  'keepalives',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'tcp_user_timeout',
  'sslcompression',
  'sslsni',
  'krbsrvname',
  'gsslib',
  'gssdelegation',
] as const;

/** To ignore these would weaken what the user asked for: only the values that ask for nothing are taken. */
const ONLY_WITH: Readonly<Record<string, readonly string[]>> = {
  channel_binding: ['prefer', 'disable'],
  gssencmode: ['prefer', 'disable'],
  load_balance_hosts: ['disable'],
  replication: ['false', 'off', 'no', '0'],
  require_auth: [],
  requirepeer: [],
  sslcrl: [],
  sslcrldir: [],
  sslnegotiation: ['postgres'],
  sslpassword: [],
  ssl_max_protocol_version: [],
  ssl_min_protocol_version: ['TLSv1', 'TLSv1.1', 'TLSv1.2'],
  target_session_attrs: ['any', 'read-write', 'primary'],
};

const KNOWN: readonly string[] = [...USED, ...WITHOUT_EFFECT, ...Object.keys(ONLY_WITH)];

/** @throws {UsageError} `conninfo_invalid`: no such keyword. `conninfo_unsupported`: libpq has it, we do not. */
export function checkKeyword(keyword: string, value: string, mayName = true): void {
  if (!KNOWN.includes(keyword)) {
    const similar = mayName ? nearest(keyword, KNOWN) : undefined;
    throw new UsageError(
      'conninfo_invalid',
      mayName ? `Unknown connection keyword "${keyword}"` : 'Unknown connection keyword',
      {
        hint:
          similar === undefined
            ? 'libpq’s keywords: host, port, dbname, user, sslmode, ... Quote values that hold spaces.'
            : `Did you mean "${similar}"?`,
      },
    );
  }
  const harmless = ONLY_WITH[keyword];
  if (harmless !== undefined && value !== '' && !harmless.includes(value)) {
    throw new UsageError('conninfo_unsupported', `The connection keyword "${keyword}" is not supported`, {
      hint: 'Take it out, or connect through something that supports it.',
    });
  }
}
