/**
 * The two spellings of a connection string, taken apart into libpq's keywords. Pure; nothing is defaulted here.
 *
 * Messages never repeat the text itself: it may hold a password.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 */

import { UsageError } from '../domain/errors.ts';
import { checkKeyword } from './conninfo-keyword.ts';

/** libpq keyword -> value, as written. */
export type Keywords = ReadonlyMap<string, string>;

const URI_PREFIX = /^postgres(?:ql)?:\/\//;

/** @throws {UsageError} `conninfo_invalid`, `conninfo_unsupported`, `conninfo_several_hosts` */
export function parseConninfo(text: string): Keywords {
  const trimmed = text.trim();
  const keywords = URI_PREFIX.test(trimmed)
    ? parseUri(trimmed.replace(URI_PREFIX, ''))
    : parseKeyValue(trimmed);
  // An unquoted space or "&" makes the rest of a password look like a keyword: then it is not named.
  const mayName = !keywords.has('password');
  for (const [keyword, value] of keywords) checkKeyword(keyword, value, mayName);
  return keywords;
}

const invalid = (what: string): UsageError =>
  new UsageError('conninfo_invalid', `The connection string cannot be read: ${what}`, {
    hint: 'Write postgresql://user@host:5432/database, "host=... dbname=...", or service=NAME.',
  });

function parseKeyValue(text: string): Keywords {
  const keywords = new Map<string, string>();
  // keyword, '=', then either a quoted value or a bare one; a backslash takes the next character as it is.
  const pair = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)/sy;
  let at = 0;
  while (text.slice(at).trim() !== '') {
    pair.lastIndex = at;
    const match = pair.exec(text);
    if (match === null) throw invalid(describeFault(text.slice(at)));
    const [, keyword = '', quoted, bare] = match;
    keywords.set(keyword, (quoted ?? bare ?? '').replace(/\\(.)/gs, '$1'));
    at = pair.lastIndex;
  }
  return keywords;
}

function describeFault(rest: string): string {
  const hasEquals = /^\s*[^\s=]+\s*=/.test(rest);
  return hasEquals ? 'a value is not quoted correctly' : 'a word without "=" after it';
}

function parseUri(rest: string): Keywords {
  const keywords = new Map<string, string>();
  const set = (keyword: string, encoded: string) => {
    if (encoded !== '') keywords.set(keyword, decode(encoded));
  };
  // The userinfo ends at the first '@' that stands before any '/': so says libpq.
  const userinfo = /^([^@/:]*)(?::([^@/]*))?@/.exec(rest);
  if (userinfo !== null) {
    set('user', userinfo[1] ?? '');
    set('password', userinfo[2] ?? '');
  }
  const parts = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest.slice(userinfo?.[0].length ?? 0));
  const [, authority = '', database = '', query = ''] = parts ?? [];
  if (authority.includes(',')) throw severalHosts();
  const place = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(.*))?$/.exec(authority);
  if (place === null) throw invalid('host and port are not of the form host:port');
  set('host', place[1] ?? place[2] ?? '');
  set('port', place[3] ?? '');
  set('dbname', database);
  for (const [keyword, value] of queryParameters(query)) keywords.set(keyword, value);
  return keywords;
}

function* queryParameters(query: string): Generator<[string, string]> {
  if (query === '') return;
  for (const parameter of query.split('&')) {
    const [keyword = '', value, ...more] = parameter.split('=');
    if (value === undefined || more.length > 0)
      throw invalid('a query parameter is not of the form name=value');
    const [name, decoded] = [decode(keyword), decode(value)];
    // JDBC's spelling, which libpq takes too.
    if (name === 'ssl' && decoded === 'true') yield ['sslmode', 'require'];
    else yield [name, decoded];
  }
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw invalid('a percent sign is not followed by two hexadecimal digits (write %25 for a percent sign)');
  }
  if (decoded.includes('\0')) throw invalid('%00 is not allowed');
  return decoded;
}

export const severalHosts = (): UsageError =>
  new UsageError('conninfo_several_hosts', 'The connection string names several hosts', {
    hint: 'Name the primary alone: a migration must know which server it talks to.',
  });

/** One `keyword='value'` pair as libpq reads it back. */
export const formatKeyword = (keyword: string, value: string): string =>
  `${keyword}='${value.replace(/[\\']/g, '\\$&')}'`;
