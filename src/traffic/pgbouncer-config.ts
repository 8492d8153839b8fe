/** The one line of pgbouncer.ini that says where a database is. Pure: text in, text out. */

import type { ServerAddress } from '../config/server-address.ts';
import { PrerequisiteError } from '../domain/errors.ts';

const quoted = (value: string): string =>
  /^[\w.:/-]+$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`;
const NOTE = /^; pgglide epoch=(\d+)\n/m;

/** Position of `database = ...` inside [databases]. @throws {PrerequisiteError} `pgbouncer_database_missing` */
function findLine(ini: string, database: string): { readonly line: string; readonly at: number } {
  let section = '';
  let at = 0;
  for (const line of ini.split('\n')) {
    section = /^\s*\[(\w+)\]/.exec(line)?.[1]?.toLowerCase() ?? section;
    const [, bare, inQuotes] = /^\s*(?:([^\s"=;#]+)|"((?:[^"]|"")*)")\s*=/.exec(line) ?? [];
    const name = bare ?? inQuotes?.replaceAll('""', '"');
    // A file that is %include'd may hold the entries alone.
    if ((section === 'databases' || section === '') && name === database) return { line, at };
    at += line.length + 1;
  }
  throw new PrerequisiteError(
    'pgbouncer_database_missing',
    `The PgBouncer configuration has no entry for "${database}"`,
    {
      hint: `Add it under [databases]: ${database} = host=... port=...`,
    },
  );
}

/** The same text with the database at this address, and the epoch noted in a comment before it. */
export function pointAt(ini: string, database: string, address: ServerAddress, epoch: number): string {
  const { line, at } = findLine(ini, database);
  const equals = line.indexOf('=', line.startsWith('"') ? line.lastIndexOf('"', line.indexOf('host=')) : 0);
  const kept = line
    .slice(equals + 1)
    .replace(/(^|\s)(host|hostaddr|port|dbname)\s*=\s*('(?:[^']|'')*'|\S+)/g, '')
    .trim();
  const entry = [
    `${line.slice(0, equals).trimEnd()} = host=${quoted(address.host)} port=${address.port} dbname=${quoted(address.database)}`,
    ...(kept === '' ? [] : [kept]),
  ].join(' ');
  const before = ini.slice(0, at).replace(NOTE, '');
  return `${before}; pgglide epoch=${epoch}\n${entry}${ini.slice(at + line.length)}`;
}

/** 0 when it was never switched. */
export const notedEpoch = (ini: string): number => Number(NOTE.exec(ini)?.[1] ?? 0);
