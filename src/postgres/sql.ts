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
  const pieces = new Pieces(parts[0] ?? '');
  args.forEach((arg, index) => {
    const tail = parts[index + 1] ?? '';
    if (arg instanceof Sql) pieces.addSql(arg).addText(tail);
    else pieces.addValue(arg, tail);
  });
  return pieces.sql;
}

class Pieces {
  readonly #strings: string[];
  readonly #values: unknown[] = [];

  constructor(head: string) {
    this.#strings = [head];
  }

  get sql(): Sql {
    return new Sql(this.#strings, this.#values);
  }

  addText(text: string): this {
    this.#strings[this.#strings.length - 1] += text;
    return this;
  }

  addValue(value: unknown, tail: string): this {
    this.#values.push(value);
    this.#strings.push(tail);
    return this;
  }

  addSql({ strings: [head = '', ...rest], values }: Sql): this {
    this.addText(head);
    this.#strings.push(...rest);
    this.#values.push(...values);
    return this;
  }
}

const verbatim = (text: string): Sql => new Sql([text], []);

/** "schema"."name", quoted. */
export const ident = (...parts: readonly string[]): Sql =>
  verbatim(parts.map((part) => pg.escapeIdentifier(part)).join('.'));

/**
 * A quoted string constant, for statements that take no parameters. As pg.escapeLiteral() writes it, which puts texts together
 * character by character: of the names of thousands of sequences it made and held thirty times their size, in the pause.
 */
export function literal(text: string): Sql {
  const doubled = text.replace(/['\\]/g, '$&$&');
  return verbatim(text.includes('\\') ? ` E'${doubled}'` : `'${doubled}'`);
}

/** Items with commas (or another separator of ours) between them. */
export function list(
  items: readonly Sql[],
  separator: ', ' | ' UNION ALL ' | ' + ' | ' AND ' | '; ' | ' ' = ', ',
): Sql {
  const pieces = new Pieces('');
  for (const [index, item] of items.entries()) {
    if (index > 0) pieces.addText(separator);
    pieces.addSql(item);
  }
  return pieces.sql;
}

/**
 * Text that is SQL already: statements of a schema dump, `pg_get_indexdef()`, our own files under sql/.
 * Never for anything that a user or a row supplied as data.
 */
export const trusted = verbatim;
