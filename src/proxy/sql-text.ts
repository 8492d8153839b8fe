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

/** Of a query string with several statements, the PREPARE that made this one. */
export function prepareStatementOf(text: string, name: string): string | undefined {
  return splitStatements(text).findLast((statement) => {
    const [, written = ''] = PREPARE.exec(statement) ?? [];
    const meant = written.startsWith('"')
      ? written.slice(1, -1).replaceAll('""', '"')
      : written.toLowerCase();
    return meant === name;
  });
}
