/** Where quoted text begins and ends in SQL, and names as pg_dump --quote-all-identifiers writes them. Pure. */

/**
 * The index after the string, quoted identifier, dollar-quoted body or comment that begins at `start`;
 * `start + 1` when none does.
 *
 * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function endOfQuoted(text: string, start: number): number {
  const found = /'|"|--|\/\*|\$/y;
  found.lastIndex = start;
  switch (found.exec(text)?.[0]) {
    case "'":
      return isEscapeString(text, start) ? endOf(ESCAPE_STRING, text, start) : endOf(STRING, text, start);
    case '"':
      return endOf(IDENTIFIER, text, start);
    case '--':
      return endOf(LINE_COMMENT, text, start);
    case '/*':
      return endOfBlockComment(text, start);
    case '$':
      return endOfDollarQuoted(text, start);
    default:
      return start + 1;
  }
}

const STRING = /'[^']*'(?:'[^']*')*/y;
const ESCAPE_STRING = /'(?:[^'\\]|\\[\s\S]|'')*'/y;
const IDENTIFIER = /"[^"]*"(?:"[^"]*")*/y;
const LINE_COMMENT = /--[^\n]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*)?\$/y;

function endOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : text.length;
}

/** E'...' knows backslashes; the E must not be the end of a longer word. */
const isEscapeString = (text: string, start: number): boolean =>
  /(?:^|[^A-Za-z_0-9$\u0080-\uffff"])[eE]$/.test(text.slice(Math.max(0, start - 2), start));

function endOfDollarQuoted(text: string, start: number): number {
  // In a$b$ the dollars are part of a name.
  if (/[A-Za-z_0-9$\u0080-\uffff]/.test(text[start - 1] ?? '')) return start + 1;
  DOLLAR_TAG.lastIndex = start;
  const tag = DOLLAR_TAG.exec(text)?.[0];
  if (tag === undefined) return start + 1;
  const end = text.indexOf(tag, start + tag.length);
  return end < 0 ? text.length : end + tag.length;
}

function endOfBlockComment(text: string, start: number): number {
  const edge = /\/\*|\*\//g;
  edge.lastIndex = start;
  let depth = 0;
  for (let match = edge.exec(text); match !== null; match = edge.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  return text.length;
}

const NAME = '"(?:[^"]|"")*"';
const QUALIFIED = `${NAME}\\.${NAME}`;

/** Kind -> where the statement names its table. All names are quoted, so keywords in names do not match. */
const TABLE_OF: Readonly<Record<string, RegExp>> = {
  INDEX: new RegExp(`^CREATE (?:UNIQUE )?INDEX ${NAME} ON (?:ONLY )?(${QUALIFIED})`, 'm'),
  CONSTRAINT: new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'FK CONSTRAINT': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'CHECK CONSTRAINT': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'ROW SECURITY': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  TRIGGER: new RegExp(`^CREATE (?:CONSTRAINT )?TRIGGER ${NAME} (?:[^"]|${NAME})*? ON (${QUALIFIED})`, 'm'),
  POLICY: new RegExp(`^CREATE POLICY ${NAME} ON (${QUALIFIED})`, 'm'),
};

/** Quoted and qualified; undefined for kinds that belong to no table. */
export const tableOf = (kind: string, sql: string): string | undefined => TABLE_OF[kind]?.exec(sql)?.[1];

const OWN_NAME: Readonly<Record<string, RegExp>> = {
  INDEX: new RegExp(`^CREATE (?:UNIQUE )?INDEX (${NAME})`, 'm'),
  TRIGGER: new RegExp(`^CREATE (?:CONSTRAINT )?TRIGGER (${NAME})`, 'm'),
};

/** The unquoted name of an index or trigger. */
export const ownName = (kind: string, sql: string): string | undefined =>
  OWN_NAME[kind]?.exec(sql)?.[1]?.slice(1, -1).replaceAll('""', '"');

const REFERENCES = new RegExp(`FOREIGN KEY \\((?:[^"]|${NAME})*?\\) REFERENCES (${QUALIFIED})`);

/** The table that a foreign key points to, quoted and qualified. */
export const referencedTable = (sql: string): string | undefined => REFERENCES.exec(sql)?.[1];
