/** Takes pg_dump's plain script apart along its "-- Name: ...; Type: ..." headers. Pure. */

import { endOfQuoted } from '../domain/sql-quoting.ts';
import type { SchemaStatement, Section } from './statement.ts';

type DumpEntry = Omit<SchemaStatement, 'n' | 'section' | 'table'>;

export interface SplitOptions {
  /** Source name -> target name; entries in a tablespace that is not named here go to the default one. */
  readonly tablespaces?: Readonly<Record<string, string>> | undefined;
}

/**
 * Entries in the dump's own order. Headers inside function bodies and comments are text, not headers.
 * Tablespace and access method, which pg_dump sets between the entries, become part of each entry.
 */
export function splitDump(script: string, options: SplitOptions = {}): DumpEntry[] {
  const headers = findHeaders(script);
  const settings = new CreationSettings(options.tablespaces ?? {});
  settings.read(script.slice(0, headers[0]?.start ?? script.length));
  const entries: DumpEntry[] = [];
  headers.forEach((header, index) => {
    const body = script.slice(header.end, headers[index + 1]?.start ?? script.length);
    const sql = statementsOf(body);
    if (sql !== '') entries.push({ ...parseHeader(header.line, sql), sql: settings.prefix() + sql });
    settings.read(body);
  });
  return entries;
}

/** pg_dump's kinds that need the rows; the first of them ends the pre-data section, for pg_dump never goes back. */
const POST_DATA = new Set([
  'CHECK CONSTRAINT',
  'CONSTRAINT',
  'EVENT TRIGGER',
  'FK CONSTRAINT',
  'INDEX',
  'INDEX ATTACH',
  'MATERIALIZED VIEW DATA',
  'POLICY',
  'ROW SECURITY',
  'RULE',
  'STATISTICS',
  'TRIGGER',
]);

/** Comments, grants and postponed views that follow the first entry of the post-data section belong to it. */
export function sectionsOf(entries: readonly { readonly kind: string }[]): Section[] {
  const boundary = entries.findIndex((entry) => POST_DATA.has(entry.kind));
  return entries.map((_, index) => (boundary >= 0 && index >= boundary ? 'post-data' : 'pre-data'));
}

interface Header {
  readonly start: number;
  readonly end: number;
  readonly line: string;
}

const HEADER = /--\n(-- Name: [^\n]*; Type: [^\n]*; Schema: [^\n]*; Owner: [^\n]*)\n--\n/y;

function findHeaders(script: string): Header[] {
  const headers: Header[] = [];
  const interesting = /['"$]|--|\/\*/g;
  for (let match = interesting.exec(script); match !== null; match = interesting.exec(script)) {
    const start = match.index;
    const header =
      match[0] === '--' && isLineStart(script, start) ? matchAt(HEADER, script, start) : undefined;
    if (header) headers.push({ start, end: start + header[0].length, line: header[1] ?? '' });
    interesting.lastIndex = header ? start + header[0].length : endOfQuoted(script, start);
  }
  return headers;
}

const isLineStart = (text: string, index: number): boolean => index === 0 || text[index - 1] === '\n';

function matchAt(pattern: RegExp, text: string, index: number): RegExpExecArray | undefined {
  pattern.lastIndex = index;
  return pattern.exec(text) ?? undefined;
}

const SETTING = /^SET (default_tablespace|default_table_access_method) = (.*);$/gm;

/** pg_dump states them once, for all entries that follow. */
class CreationSettings {
  readonly #tablespaces: Readonly<Record<string, string>>;
  #tablespace = "''";
  #accessMethod = 'heap';

  constructor(tablespaces: Readonly<Record<string, string>>) {
    this.#tablespaces = tablespaces;
  }

  /** `text` may hold statements of an entry: pg_dump's own SET lines are the ones after its last statement. */
  read(text: string): void {
    for (const [, name, value = ''] of trailingSettings(text).matchAll(SETTING)) {
      if (name === 'default_tablespace') this.#tablespace = this.#mapped(value);
      else this.#accessMethod = value;
    }
  }

  prefix(): string {
    const tablespace =
      this.#tablespace === "''" ? '' : `SET LOCAL default_tablespace = ${this.#tablespace};\n`;
    const isHeap = ['heap', '"heap"'].includes(this.#accessMethod);
    return `${tablespace}${isHeap ? '' : `SET LOCAL default_table_access_method = ${this.#accessMethod};\n`}`;
  }

  #mapped(value: string): string {
    const name = value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value;
    const target = this.#tablespaces[name];
    return target === undefined ? "''" : `"${target.replaceAll('"', '""')}"`;
  }
}

const TRAILING = /(?:\n(?:SET default_(?:tablespace|table_access_method) = [^\n]*;)?)+$/;
const trailingSettings = (text: string): string => TRAILING.exec(text)?.[0] ?? '';

/** Without the settings for later entries, psql's \restrict lines and the dump's closing comment. */
function statementsOf(body: string): string {
  return body
    .replace(/\n--\n-- PostgreSQL database dump complete\n--\n[\s\S]*$/, '\n')
    .replace(TRAILING, '')
    .replace(/^(?:--[^\n]*)?\n/gm, (line, offset: number, text: string) =>
      text.slice(0, offset).trim() === '' ? '' : line,
    )
    .trim();
}

/** "-- Name: x; Type: TABLE; Schema: public; Owner: y". Names may look like the rest of the header: the statement decides. */
function parseHeader(line: string, sql: string): Omit<DumpEntry, 'sql'> {
  const readings = [...line.matchAll(/; Type: ([A-Z][A-Z ]*); Schema: /g)].map((match) => {
    const kind = match[1] ?? '';
    const tail = line.slice((match.index ?? 0) + match[0].length);
    const schema = tail.slice(0, tail.lastIndexOf('; Owner: '));
    return { kind, name: line.slice('-- Name: '.length, match.index), ...(schema === '-' ? {} : { schema }) };
  });
  const [last] = readings.slice(-1);
  if (last === undefined) throw new Error(`Not a header of pg_dump: ${line}`);
  return readings.length === 1 ? last : (readings.findLast((reading) => fits(reading.kind, sql)) ?? last);
}

function fits(kind: string, sql: string): boolean {
  const opening = sql.slice(0, 40).toUpperCase();
  if (kind === 'INDEX') return /^CREATE (UNIQUE )?INDEX/.test(opening);
  if (kind === 'TABLE') return /^CREATE (UNLOGGED )?TABLE/.test(opening);
  if (kind.endsWith('CONSTRAINT') || kind.endsWith('ATTACH')) return opening.startsWith('ALTER ');
  return opening.startsWith(`CREATE ${kind}`);
}
