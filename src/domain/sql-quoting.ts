/** Where quoted text begins and ends in SQL: strings, quoted names, dollar quotes and comments. Pure. */

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

/** The text with each of them replaced: nothing in it is a word of a statement. */
export function replaceQuoted(text: string, replacement: (quoted: string) => string): string {
  const opening = /['"$]|--|\/\*/g;
  let replaced = '';
  let from = 0;
  for (let found = opening.exec(text); found !== null; found = opening.exec(text)) {
    const end = endOfQuoted(text, found.index);
    opening.lastIndex = end;
    // $1, or a name's dollar.
    if (found[0] === '$' && end === found.index + 1) continue;
    replaced += text.slice(from, found.index) + replacement(text.slice(found.index, end));
    from = end;
  }
  return replaced + text.slice(from);
}
