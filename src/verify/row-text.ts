/** Values as texts, for people, for keys and for repair. */

import type { TableName } from '../domain/names.ts';
import { ident, list, type Sql, sql } from '../postgres/sql.ts';

/** By the type's output function: a cast to text would strip the blanks of char(n). num_nulls() because a row of NULLs IS NULL. */
const textOf = (value: Sql): Sql => sql`CASE WHEN num_nulls(${value}) = 0 THEN format('%s', ${value}) END`;

interface TextColumn {
  readonly name: string;
  /** Of type "char", which prints bytes above 127 in its own way in every other version. */
  readonly isChar?: boolean;
}

/** text[] of the named columns of `relation`. */
export const textsOf = (relation: Sql, columns: readonly TextColumn[]): Sql =>
  sql`ARRAY[${list(columns.map((column) => columnText(sql`${relation}.${ident(column.name)}`, column)))}]::text[]`;

const columnText = (value: Sql, { isChar }: TextColumn): Sql =>
  isChar ? sql`encode(charsend(${value}), 'escape')` : textOf(value);

/** The whole table: all leaves of a partition tree, but not the children of an inheritance parent. */
export const fromTable = (table: TableName & { readonly isPartitioned: boolean }): Sql =>
  table.isPartitioned
    ? sql`${ident(table.schema, table.name)} AS t`
    : sql`ONLY ${ident(table.schema, table.name)} AS t`;
