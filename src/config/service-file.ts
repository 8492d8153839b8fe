/**
 * Connection service files: [name] sections of keyword=value lines.
 *
 * @see https://www.postgresql.org/docs/current/libpq-pgservice.html
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../domain/errors.ts';
import { checkKeyword } from './conninfo-keyword.ts';
import type { Keywords } from './conninfo-text.ts';

/** Where Debian's and the source builds' libpq look, in this order, when PGSYSCONFDIR is unset. */
const SYSTEM_FOLDERS = ['/etc/postgresql-common', '/etc/sysconfig/pgsql', '/usr/local/pgsql/etc'];

/** @throws {UsageError} `service_not_found`, `service_file_invalid` */
export function readService(
  name: string,
  places: { readonly env: Readonly<Record<string, string | undefined>>; readonly home: string },
): Keywords {
  const own = places.env.PGSERVICEFILE || join(places.home, '.pg_service.conf');
  const folders = places.env.PGSYSCONFDIR ? [places.env.PGSYSCONFDIR] : SYSTEM_FOLDERS;
  const files = [own, ...folders.map((folder) => join(folder, 'pg_service.conf'))];
  for (const file of files) {
    const text = readIfThere(file);
    const found = text === undefined ? undefined : parseService(text, name, file);
    if (found !== undefined) return found;
  }
  throw new UsageError('service_not_found', `There is no service "${name}" in any service file`, {
    hint: `Looked into ${own} and pg_service.conf in ${folders.join(', ')}. PGSERVICEFILE names another file.`,
  });
}

function readIfThere(file: string): string | undefined {
  // A home that is no folder, or another's, holds none.
  if (!existsSync(file)) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError('service_file_invalid', `The service file ${file} cannot be read`, { cause: error });
  }
}

/** The section's keywords; undefined when the file has no such section. A keyword's first value counts. */
export function parseService(text: string, name: string, file: string): Keywords | undefined {
  let found: Map<string, string> | undefined;
  let inside = false;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (inside) break;
      inside = line === `[${name}]`;
      if (inside) found = new Map();
      continue;
    }
    if (!inside || found === undefined) continue;
    const [keyword, value] = splitLine(line, file, index + 1);
    if (!found.has(keyword)) found.set(keyword, value);
  }
  return found;
}

function splitLine(line: string, file: string, number: number): [string, string] {
  const equals = line.indexOf('=');
  const keyword = line.slice(0, equals).trim();
  if (equals < 1 || keyword === 'service') {
    throw new UsageError('service_file_invalid', `Line ${number} of ${file} is not keyword=value`, {
      hint: 'One keyword=value a line; a service cannot name another service.',
    });
  }
  const value = line.slice(equals + 1).trim();
  checkKeyword(keyword, value);
  return [keyword, value];
}
