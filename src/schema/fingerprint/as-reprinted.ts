/** What a server prints otherwise when it has read it from print, as it does from a dump: the same by one spelling. Pure. */

/** The text may stand in JSON, which escapes quotation marks. */
export const asReprinted = (definition: string): string => withPlainFields(withElementCasts(definition));

/** extract('YEAR' FROM at) is printed as EXTRACT(YEAR FROM at), and a name without quotes is read in small letters. */
const withPlainFields = (definition: string): string =>
  definition.replace(/\bEXTRACT\(\w+ FROM /g, (field) => `EXTRACT(${field.slice(8).toLowerCase()}`);

const OPENING = /\(ARRAY\[/g;
const CAST = /\]\)::([^[\]()',]+)\[\]/y;

/**
 * `state IN ('a', 'b')` over varchars is `state::text = ANY ((ARRAY['a'::varchar, 'b'::varchar])::text[])` where it was
 * written, and `... ANY (ARRAY[('a'::varchar)::text, ('b'::varchar)::text])` when it was read from that.
 */
function withElementCasts(definition: string): string {
  let text = '';
  let from = 0;
  for (const { 0: opening, index } of definition.matchAll(OPENING)) {
    if (index < from) continue;
    const { elements, end } = elementsFrom(definition, index + opening.length);
    CAST.lastIndex = end;
    const [cast, type] = CAST.exec(definition) ?? [];
    if (cast === undefined) continue;
    const list = elements.map((element) => `(${element})::${type}`).join(', ');
    text += `${definition.slice(from, index)}ARRAY[${list}]`;
    from = end + cast.length;
  }
  return text + definition.slice(from);
}

const TOKEN = /'(?:[^']|'')*'|\\?"(?:[^"\\]|\\?"\\?")*\\?"|, |[()[\]]|[\s\S]/y;

/** Up to the bracket that closes the list; commas in strings, names and calls divide nothing. */
function elementsFrom(text: string, start: number): { elements: string[]; end: number } {
  const elements = [''];
  TOKEN.lastIndex = start;
  for (let depth = 0, end = start; ; end = TOKEN.lastIndex) {
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined || (token === ']' && depth === 0)) return { elements, end };
    if (token === '(' || token === '[') depth += 1;
    if (token === ')' || token === ']') depth -= 1;
    if (token === ', ' && depth === 0) elements.push('');
    else elements[elements.length - 1] += token;
  }
}
