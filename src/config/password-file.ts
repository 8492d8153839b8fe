/**
 * The password file: host:port:database:user:password lines, the first match counts.
 *
 * @see https://www.postgresql.org/docs/current/libpq-pgpass.html
 */

import { readFileSync, type Stats, statSync } from 'node:fs';

export interface PasswordQuery {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** Undefined when the file is not there, has no matching line, is open to others or closed to us: then it is ignored with a warning, as libpq does. */
export function readPasswordFile(
  file: string,
  query: PasswordQuery,
  warn: (message: string) => void,
): string | undefined {
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch {
    return undefined;
  }
  if (!stats.isFile()) {
    warn(`password file "${file}" is not a plain file; it is ignored`);
    return undefined;
  }
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
    warn(
      `password file "${file}" has group or world access; permissions should be u=rw (0600) or less; it is ignored`,
    );
    return undefined;
  }
  try {
    return findPassword(readFileSync(file, 'utf8'), query);
  } catch (error) {
    warn(`password file "${file}" cannot be read (${(error as NodeJS.ErrnoException).code}); it is ignored`);
    return undefined;
  }
}

/** Pure: the password of the first line that matches. */
export function findPassword(text: string, query: PasswordQuery): string | undefined {
  const wanted = [query.host, String(query.port), query.database, query.user];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\r$/, '');
    if (line === '' || line.startsWith('#')) continue;
    const fields = splitFields(line);
    const matches = wanted.every(
      (value, index) => fields[index] === '*' || unescaped(fields[index]) === value,
    );
    if (matches && fields[4] !== undefined && fields[4] !== '') return unescaped(fields[4]);
  }
  return undefined;
}

/** At colons that no backslash protects; the backslashes stay, so that an escaped asterisk is not a wildcard. */
const splitFields = (line: string): string[] =>
  [...line.matchAll(/(?:^|:)((?:[^:\\]|\\.|\\$)*)/g)].map((match) => match[1] ?? '');

const unescaped = (field: string | undefined): string | undefined => field?.replace(/\\(.)/g, '$1');
