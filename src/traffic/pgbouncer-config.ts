/** The lines of pgbouncer.ini that say where databases are. Pure: text in, text out. */

import type { ServerAddress } from '../config/server-address.ts';
import { PrerequisiteError } from '../domain/errors.ts';
import type { Side } from '../domain/names.ts';

const quoted = (value: string): string =>
  /^[\w.:/-]+$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`;
const NOTE = /^; pgglide epoch=(\d+)\n/m;

/** What PgBouncer calls a database, and where that is. */
export interface Entry {
  readonly name: string;
  readonly servers: Readonly<Record<Side, ServerAddress>>;
}

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

/** The same text with every entry at its address on that side, and the epoch noted in a comment before the first. */
export function pointAll(ini: string, entries: readonly Entry[], side: Side, epoch: number): string {
  const clean = ini.replace(NOTE, '');
  const pointed = entries.reduce((text, entry) => pointAt(text, entry.name, entry.servers[side]), clean);
  const [first] = entries;
  if (first === undefined) return pointed;
  const { at } = findLine(pointed, first.name);
  return `${pointed.slice(0, at)}; pgglide epoch=${epoch}\n${pointed.slice(at)}`;
}

function pointAt(ini: string, database: string, address: ServerAddress): string {
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
  return `${ini.slice(0, at)}${entry}${ini.slice(at + line.length)}`;
}

/** 0 when it was never switched. */
export const notedEpoch = (ini: string): number => Number(NOTE.exec(ini)?.[1] ?? 0);
