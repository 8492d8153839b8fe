/** The statements of a query string. Pure. */

import { replaceQuoted } from '../domain/sql-quoting.ts';

/** The statements of a query string, without the semicolons between them. */
export function splitStatements(text: string): string[] {
  // Quoted parts are blanked, not removed, so that positions stay the same.
  const plain = replaceQuoted(text, (quoted) => ' '.repeat(quoted.length));
  const statements: string[] = [];
  let from = 0;
  for (const { index } of plain.matchAll(/;|$/g)) {
    const statement = text.slice(from, index).trim();
    if (statement !== '') statements.push(statement);
    from = index + 1;
  }
  return statements;
}

const withoutComments = (statement: string): string =>
  replaceQuoted(statement, (quoted) => (/^(?:--|\/\*)/.test(quoted) ? ' ' : quoted));

const PREPARE = /^\s*prepare\s+("(?:[^"]|"")*"|[^\s("]+)/i;

/** Tells of a query string with one statement or several the PREPARE that made a name's. */
export function prepareStatementsIn(text: string): (name: string) => string | undefined {
  const statements = splitStatements(text).map((statement) => ({ statement, names: namesIn(statement) }));
  if (statements.length === 1) return () => statements[0]?.statement;
  return (name) =>
    statements.findLast(({ names }) => names.some((written) => isCut(written, name)))?.statement;
}

/** What a PREPARE may have named its statement. */
function namesIn(statement: string): string[] {
  const [, written] = PREPARE.exec(withoutComments(statement)) ?? [];
  if (written === undefined) return [];
  if (written.startsWith('"')) return [written.slice(1, -1).replaceAll('""', '"')];
  return [asciiLower(written), written.toLowerCase()];
}

/** Other letters only in databases of one byte a character. */
const asciiLower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** Of a name the server keeps no more (NAMEDATALEN). */
export const LONGEST_NAME_BYTES = 63;
const isCut = (written: string, name: string): boolean =>
  written === name || (Buffer.byteLength(written) > LONGEST_NAME_BYTES && written.startsWith(name));
