/**
 * A connection string with everything that libpq would add to it: service file, PG* environment,
 * password file, default places of certificates.
 *
 * @see https://www.postgresql.org/docs/current/libpq-envars.html
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { homeFolder } from '../base/home-folder.ts';
import { UsageError } from '../domain/errors.ts';
import { formatKeyword, type Keywords, parseConninfo, severalHosts } from './conninfo-text.ts';
import { readPasswordFile } from './password-file.ts';
import { type ServerAddress, type SslMode, SYSTEM_AUTHORITIES } from './server-address.ts';
import { readService } from './service-file.ts';

export interface ConninfoContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Defaults to the user's home folder. */
  readonly home?: string;
  /** The role when none is named; defaults to the operating system's user name. */
  readonly osUser?: string;
  /** Whether PGHOST, PGPORT, ... fill what the text leaves open: for the source only. */
  readonly environmentDefaults?: boolean;
  /** Used when the text has no password; before PGPASSWORD and the password file. */
  readonly password?: string | undefined;
  readonly warn?: (message: string) => void;
}

/** Without connect_timeout libpq waits for ever; nobody wants that of a migration. */
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_FOLDERS = ['/var/run/postgresql', '/tmp'];
const SSL_MODES: readonly string[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

const ENVIRONMENT: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcertmode: 'PGSSLCERTMODE',
  options: 'PGOPTIONS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
};

/** @throws {UsageError} `conninfo_invalid`, `conninfo_unsupported`, `conninfo_several_hosts`, `service_not_found`, `service_file_invalid`, `certificate_missing`, `private_key_permissions` */
export function resolveConninfo(text: string, context: ConninfoContext): ServerAddress {
  return resolveKeywords(parseConninfo(text), context);
}

/** The same for keywords that were taken apart already. */
export function resolveKeywords(given: Keywords, context: ConninfoContext): ServerAddress {
  const keywords = withDefaults(given, context);
  const get = (keyword: string) => keywords.get(keyword) || undefined;
  const port = parsePort(get('port') ?? '5432');
  const user = get('user') ?? context.osUser ?? accountName();
  const database = get('dbname') ?? user;
  const sslMode = parseSslMode(keywords);
  const host = connectHost(keywords, port, sslMode);
  const home = context.home ?? homeFolder();
  const address = { host, port, user, database, sslMode, options: get('options') };
  const password = get('password') ?? passwordFromFile(keywords, address, home, context);
  return {
    ...address,
    ...(password === undefined ? {} : { password }),
    ...certificates(keywords, sslMode, home),
    connectTimeoutMs: parseTimeout(get('connect_timeout')),
  };
}

/** A container may run under a number that no account has. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    throw new UsageError(
      'conninfo_invalid',
      'The connection string names no user, and our account has no name',
      {
        hint: 'Name the role: user=NAME.',
        cause,
      },
    );
  }
}

/** Text, then service, then environment: the first that names a keyword wins, an empty value too. */
function withDefaults(given: Keywords, context: ConninfoContext): Map<string, string> {
  const keywords = new Map(given);
  const fill = (keyword: string, value: string | undefined) => {
    if (value !== undefined && !keywords.has(keyword)) keywords.set(keyword, value);
  };
  const home = context.home ?? homeFolder();
  const service = given.get('service') || (context.environmentDefaults ? context.env.PGSERVICE : undefined);
  if (service) {
    for (const [keyword, value] of readService(service, { env: context.env, home })) fill(keyword, value);
  }
  fill('password', context.password);
  if (context.environmentDefaults) {
    for (const [keyword, variable] of Object.entries(ENVIRONMENT)) fill(keyword, context.env[variable]);
  }
  return keywords;
}

const invalid = (what: string, hint: string): UsageError =>
  new UsageError('conninfo_invalid', `The connection string cannot be read: ${what}`, { hint });

function parsePort(text: string): number {
  const port = /^\s*\d+\s*$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  if (text.includes(',')) throw severalHosts();
  throw invalid(
    'the port is not a number',
    'A port is a number from 1 to 65535; a ":" or "/" in a password is written %3A or %2F.',
  );
}

function parseTimeout(text: string | undefined): number {
  if (text === undefined) return DEFAULT_CONNECT_TIMEOUT_MS;
  if (!/^\s*-?\d+\s*$/.test(text)) {
    throw invalid('connect_timeout is not a number', 'It counts seconds; 0 waits for ever.');
  }
  return Math.max(0, Number(text)) * 1000;
}

function parseSslMode(keywords: Keywords): SslMode {
  const system = keywords.get('sslrootcert') === SYSTEM_AUTHORITIES;
  const mode = keywords.get('sslmode') || (system ? 'verify-full' : 'prefer');
  if (!SSL_MODES.includes(mode)) {
    throw invalid('there is no such sslmode', `One of ${SSL_MODES.join(', ')}.`);
  }
  if (system && mode !== 'verify-full') {
    throw invalid('the sslmode is too weak for sslrootcert=system', 'Use sslmode=verify-full.');
  }
  return mode as SslMode;
}

function connectHost(keywords: Keywords, port: number, sslMode: SslMode): string {
  const host = keywords.get('host') || undefined;
  const hostaddr = keywords.get('hostaddr') || undefined;
  if (host?.includes(',') || hostaddr?.includes(',')) throw severalHosts();
  if (hostaddr !== undefined && host !== undefined && sslMode === 'verify-full') {
    throw new UsageError(
      'conninfo_unsupported',
      'hostaddr together with sslmode=verify-full is not supported',
      {
        hint: 'Leave hostaddr out, so that the name is both resolved and verified.',
      },
    );
  }
  return hostaddr ?? host ?? localSocketFolder(port);
}

/** Which folder libpq was built with differs between packagings: the one that holds the socket is right. */
function localSocketFolder(port: number): string {
  return SOCKET_FOLDERS.find((folder) => existsSync(join(folder, `.s.PGSQL.${port}`))) ?? 'localhost';
}

function passwordFromFile(
  keywords: Keywords,
  address: { host: string; port: number; user: string; database: string },
  home: string,
  context: ConninfoContext,
): string | undefined {
  const file = keywords.get('passfile') || context.env.PGPASSFILE || join(home, '.pgpass');
  const named = keywords.get('host') || address.host;
  // A local server is looked up as "localhost", wherever its socket is by default.
  const host = SOCKET_FOLDERS.includes(named) ? 'localhost' : named;
  return readPasswordFile(file, { ...address, host }, context.warn ?? (() => undefined));
}

/** Explicit paths as they are; otherwise what is in ~/.postgresql, where the mode has a use for it. */
function certificates(
  keywords: Keywords,
  sslMode: SslMode,
  home: string,
): Pick<ServerAddress, 'sslRootCert' | 'sslCert' | 'sslKey'> {
  if (sslMode === 'disable') return {};
  const place = (keyword: string, file: string) => {
    const given = keywords.get(keyword) || undefined;
    if (keyword === 'sslrootcert' && given === SYSTEM_AUTHORITIES) return given;
    if (given !== undefined && !existsSync(given)) throw missing(keyword, given);
    const usual = join(home, '.postgresql', file);
    const found = given ?? (existsSync(usual) ? usual : undefined);
    if (found !== undefined) assertReadable(keyword, found);
    return found;
  };
  const root = place('sslrootcert', 'root.crt');
  if (root === undefined && (sslMode === 'verify-ca' || sslMode === 'verify-full')) {
    throw missing('sslrootcert', join(home, '.postgresql', 'root.crt'));
  }
  const own = keywords.get('sslcertmode') === 'disable' ? undefined : place('sslcert', 'postgresql.crt');
  const key = own === undefined ? undefined : place('sslkey', 'postgresql.key');
  if (own !== undefined && key === undefined) {
    throw missing('sslkey', join(home, '.postgresql', 'postgresql.key'));
  }
  if (key !== undefined) checkKeyPermissions(key);
  return {
    ...(root === undefined ? {} : { sslRootCert: root }),
    ...(own === undefined ? {} : { sslCert: own, sslKey: key }),
  };
}

const missing = (keyword: string, file: string): UsageError =>
  new UsageError('certificate_missing', `The file of ${keyword} does not exist: ${file}`, {
    hint:
      keyword === 'sslrootcert'
        ? 'Name the root certificate with sslrootcert=FILE, or sslrootcert=system for the public ones.'
        : `Name the file with ${keyword}=FILE.`,
  });

function assertReadable(keyword: string, file: string): void {
  try {
    readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UsageError('certificate_missing', `The file of ${keyword} cannot be read: ${file} (${code})`, {
      hint: 'Is it a file, and may you read it?',
      cause,
    });
  }
}

/** libpq's rule: the owner's alone, or root's and readable by a group. */
function checkKeyPermissions(file: string): void {
  if (process.platform === 'win32') return;
  const { mode, uid } = statSync(file);
  const forbidden = uid === 0 && process.getuid?.() !== 0 ? 0o037 : 0o077;
  if ((mode & forbidden) === 0) return;
  throw new UsageError('private_key_permissions', `The private key ${file} is open to others`, {
    hint: `chmod 600 ${file}`,
  });
}

/**
 * libpq's own spelling of the address, for CREATE SUBSCRIPTION. Holds the password: it goes to a server
 * as a statement, never into a log. Certificate paths mean files on the subscriber.
 */
export function subscriptionConninfo(address: ServerAddress): string {
  const keywords: readonly (readonly [string, string | undefined])[] = [
    ['host', address.host],
    ['port', String(address.port)],
    ['dbname', address.database],
    ['user', address.user],
    ['password', address.password],
    ['sslmode', address.sslMode],
    ['sslrootcert', address.sslRootCert],
    ['sslcert', address.sslCert],
    ['sslkey', address.sslKey],
    ['options', address.options],
  ];
  return keywords
    .flatMap(([keyword, value]) => (value === undefined ? [] : [formatKeyword(keyword, value)]))
    .join(' ');
}
