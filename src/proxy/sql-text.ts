/** As much of SQL's lexical structure as is needed to tell statements from strings. */

/** Comments, strings, quoted names and dollar quotes: nothing in them is a word of the statement. */
export const SQL_QUOTED =
  /--[^\n]*|\/\*[\s\S]*?\*\/|e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$([a-z_]\w*)?\$[\s\S]*?\$\1\$|"(?:[^"]|"")*"/gi;

/** The statements of a query string, without the semicolons between them. */
export function splitStatements(text: string): string[] {
  // Quoted parts are blanked, not removed, so that positions stay the same.
  const plain = text.replace(SQL_QUOTED, (quoted) => ' '.repeat(quoted.length));
  const statements: string[] = [];
  let from = 0;
  for (const { index } of plain.matchAll(/;|$/g)) {
    const statement = text.slice(from, index).trim();
    if (statement !== '') statements.push(statement);
    from = index + 1;
  }
  return statements;
}

const PREPARE = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*prepare\s+("(?:[^"]|"")*"|[^\s("]+)/i;

/** Of a query string with one statement or several, the PREPARE that made this one. */
export function prepareStatementOf(text: string, name: string): string | undefined {
  const statements = splitStatements(text);
  if (statements.length === 1) return statements[0];
  return statements.findLast((statement) => {
    const [, written = ''] = PREPARE.exec(statement) ?? [];
    return written.startsWith('"')
      ? isCut(written.slice(1, -1).replaceAll('""', '"'), name)
      : isCut(asciiLower(written), name) || isCut(written.toLowerCase(), name);
  });
}

/** Other letters only in databases of one byte a character. */
const asciiLower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

const LONGEST_NAME_BYTES = 63;
const isCut = (written: string, name: string): boolean =>
  written === name || (Buffer.byteLength(written) > LONGEST_NAME_BYTES && written.startsWith(name));
