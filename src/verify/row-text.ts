/** Values as texts, for people, for keys and for repair. */

import type { LinkedTable } from '../domain/plan.ts';
import { ident, list, type Sql, sql, trusted } from '../postgres/sql.ts';
import { tableAlone } from '../postgres/table-alone.ts';
import type { FormedColumn } from './column-form.ts';
import { type HashMethod, rowHashSql } from './row-hash.ts';

/** By the type's output function: a cast to text would strip the blanks of char(n). num_nulls() because a row of NULLs IS NULL. */
const textOf = (value: Sql): Sql => sql`CASE WHEN num_nulls(${value}) = 0 THEN format('%s', ${value}) END`;

const textArray = (texts: readonly Sql[]): Sql => sql`ARRAY[${list(texts)}]::text[]`;

/** text[] of these values, whole. */
export const textsOf = (values: readonly Sql[]): Sql => textArray(values.map(textOf));

/** text[] of the columns of the row t, whole. A "char" above 127 prints as in PostgreSQL 15 and newer. */
export const exactTexts = (columns: readonly FormedColumn[]): Sql =>
  textArray(columns.map(({ name, isChar }) => columnText(sql`t.${ident(name)}`, isChar)));

const columnText = (value: Sql, isChar: boolean): Sql =>
  isChar ? sql`encode(charsend(${value}), 'escape')` : textOf(value);

/** The text of half a gigabyte of bytea is more than a server can hold in memory, and of some rows more than we can. */
const LARGE_BYTES = trusted('1000000');

/** text[] of the columns of the row t, large ones as their hash. */
export const shownTexts = (columns: readonly FormedColumn[], method: HashMethod): Sql =>
  textArray(
    columns.map((column) => {
      const value = sql`t.${ident(column.name)}`;
      const large = sql`'(large value, hash ' || to_hex(${rowHashSql([column], method, 0)}) || ')'`;
      const text = columnText(value, column.isChar);
      return sql`CASE WHEN ${sizeOf(value, column)} > ${LARGE_BYTES} THEN ${large}
        WHEN octet_length(${text}) > ${LARGE_BYTES} THEN ${large} ELSE ${text} END`;
    }),
  );

/** Of bytea before it was compressed: its text may be too large to be made at all. */
const sizeOf = (value: Sql, { isBytes = false }: FormedColumn): Sql =>
  isBytes ? sql`octet_length(${value})` : sql`pg_column_size(${value})`;

/** The whole table: all leaves of a partition tree, but not the children of an inheritance parent. */
export const fromTable = (table: LinkedTable): Sql => sql`${tableAlone(table)} AS t`;
