/** Where a server is and how to log in, after libpq's rules have been applied. */

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** libpq's word for the public certificates, in place of a file: a TLS client takes them when it is given none. */
export const SYSTEM_AUTHORITIES = 'system';

/** @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS */
export interface ServerAddress {
  /** Host name, IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string | undefined;
  readonly sslMode: SslMode;
  /** Paths; undefined means libpq's default place, if it exists. SYSTEM_AUTHORITIES is none. */
  readonly sslRootCert?: string | undefined;
  readonly sslCert?: string | undefined;
  readonly sslKey?: string | undefined;
  /** `-c name=value ...`, sent in the start-up message. */
  readonly options?: string | undefined;
  readonly connectTimeoutMs: number;
}

/** The file of the authorities that a TLS client is given; undefined: none. */
export const authoritiesFile = ({ sslRootCert }: ServerAddress): string | undefined =>
  sslRootCert === SYSTEM_AUTHORITIES ? undefined : sslRootCert;

/** "host:port/database", for messages; never the password. */
export const describeAddress = (address: ServerAddress): string =>
  `${address.host}:${address.port}/${address.database}`;

/** The same with the databases that move together with it: "host:port/database, billing". */
export const describeAll = (address: ServerAddress, others: readonly string[] | 'all'): string =>
  others === 'all'
    ? `${describeAddress(address)} and all other databases`
    : [describeAddress(address), ...others].join(', ');
