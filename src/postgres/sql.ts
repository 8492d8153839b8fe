/**
 * SQL with its values apart. `sql` binds every value, splices a nested Sql and refuses nothing else:
 * there is no way to splice a plain string. Identifiers go through ident(), and the few places where
 * PostgreSQL takes no parameters (DDL, SET) through literal().
 */

import pg from 'pg';

/** A text with $1, $2, ... and their values. */
export class Sql {
  readonly strings: readonly string[];
  readonly values: readonly unknown[];

  constructor(strings: readonly string[], values: readonly unknown[]) {
    this.strings = strings;
    this.values = values;
  }

  /** The statement with numbered parameters. */
  get text(): string {
    return this.strings.reduce((text, part, index) => (index === 0 ? part : `${text}$${index}${part}`), '');
  }

  toString(): string {
    return this.text;
  }
}

export function sql(parts: TemplateStringsArray, ...args: readonly unknown[]): Sql {
  const strings: string[] = [parts[0] ?? ''];
  const values: unknown[] = [];
  args.forEach((arg, index) => {
    const tail = parts[index + 1] ?? '';
    if (arg instanceof Sql) {
      const [head = '', ...rest] = arg.strings;
      strings[strings.length - 1] += head;
      strings.push(...rest);
      values.push(...arg.values);
      strings[strings.length - 1] += tail;
    } else {
      values.push(arg);
      strings.push(tail);
    }
  });
  return new Sql(strings, values);
}

const verbatim = (text: string): Sql => new Sql([text], []);

/** "schema"."name", quoted. */
export const ident = (...parts: readonly string[]): Sql =>
  verbatim(parts.map((part) => pg.escapeIdentifier(part)).join('.'));

/** A quoted string constant, for statements that take no parameters. */
export const literal = (text: string): Sql => verbatim(pg.escapeLiteral(text));

/** Items with commas (or another separator of ours) between them. */
export function list(
  items: readonly Sql[],
  separator: ', ' | ' UNION ALL ' | ' + ' | ' AND ' | '; ' | ' ' = ', ',
): Sql {
  const [first, ...rest] = items;
  return rest.reduce((joined, item) => sql`${joined}${verbatim(separator)}${item}`, first ?? verbatim(''));
}

/**
 * Text that is SQL already: statements of a schema dump, `pg_get_indexdef()`, our own files under sql/.
 * Never for anything that a user or a row supplied as data.
 */
export const trusted = verbatim;
