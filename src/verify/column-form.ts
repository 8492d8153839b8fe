/**
 * In which form a column enters the hash of its row. Pure.
 *
 * PostgreSQL's own hash of a value is fast, but made for joins, not for proofs: it is the same for 5 and -5, for 1.0
 * and 1.00, for 0.0 and -0.0, for '1 month' and '30 days', for the bigints 0 and 4294967297. So only types whose hash
 * tells all their values apart go in as they are; others go in as the bytes of their binary form, the rest as text.
 */

import { ident, type Sql, sql, trusted } from '../postgres/sql.ts';

/** A column's type on one side, domains resolved. */
export interface ColumnType {
  readonly baseOid: number;
  /** pg_type.typtype of the base type: b base, e enum, c composite, r range, m multirange. */
  readonly baseKind: string;
  readonly isDomain: boolean;
}

/**
 * `value`: hashed as it is. `string`: likewise, as bytes. `float`: as it is, with the sign of zero. `text`: as its output
 * function prints it. `hash`: as it is, by a function that takes the hash of the columns before it as its seed.
 */
export type ColumnForm =
  | 'value'
  | 'string'
  | 'float'
  | 'text'
  | { readonly send: string }
  | { readonly hash: string; readonly zero: string };

/** By the OID of a built-in type. */
const FORMS = new Map<number, ColumnForm>([
  [16, 'value'], // boolean
  [17, 'value'], // bytea
  [18, 'value'], // "char"
  [21, { hash: 'hashint2extended', zero: '0::int2' }],
  [23, { hash: 'hashint4extended', zero: '0' }],
  [26, { hash: 'hashoidextended', zero: '0::oid' }],
  [650, 'value'], // cidr
  [774, 'value'], // macaddr8
  [829, 'value'], // macaddr
  [869, 'value'], // inet
  [1082, 'value'], // date
  [2950, 'value'], // uuid
  [25, 'string'], // text
  [1043, 'string'], // varchar
  [700, 'float'], // real
  [701, 'float'], // double precision
  [19, { send: 'namesend' }],
  [20, { send: 'int8send' }],
  [114, { send: 'json_send' }],
  [790, { send: 'cash_send' }],
  [1042, { send: 'bpcharsend' }],
  [1083, { send: 'time_send' }],
  [1114, { send: 'timestamp_send' }],
  [1184, { send: 'timestamptz_send' }],
  [1186, { send: 'interval_send' }],
  [1266, { send: 'timetz_send' }],
  [1560, { send: 'bit_send' }],
  [1562, { send: 'varbit_send' }],
  [1700, { send: 'numeric_send' }],
  [3220, { send: 'pg_lsn_send' }],
  [3614, { send: 'tsvectorsend' }],
  [3802, { send: 'jsonb_send' }],
]);

/** The label, not the OID, which differs between clusters. enum_send() takes no domain. */
const ENUM_LABEL: ColumnForm = { send: 'enum_send' };

/** The form that both sides can take: where their types differ, only the texts are comparable. */
export function columnForm(source: ColumnType, target: ColumnType): ColumnForm {
  const isEnum = (type: ColumnType) => type.baseKind === 'e' && !type.isDomain;
  if (isEnum(source) && isEnum(target)) return ENUM_LABEL;
  if (source.baseOid !== target.baseOid) return 'text';
  return FORMS.get(source.baseOid) ?? 'text';
}

export interface FormedColumn {
  readonly name: string;
  readonly form: ColumnForm;
  /** A "char" prints bytes above 127 differently since PostgreSQL 15. */
  readonly isChar: boolean;
  /** Its text is twice as long as it is. */
  readonly isBytes?: boolean;
}

/** What stands for the column in the hashed row. `recode`: the databases' encodings differ, so strings go in as UTF-8. */
export function hashedTerms(column: FormedColumn, recode: boolean): Sql[] {
  const value = sql`t.${ident(column.name)}`;
  const { form } = column;
  if (form === 'value' || (typeof form === 'object' && 'hash' in form)) return [value];
  if (form === 'string') return [recode ? sql`textsend(${value})` : sql`${value} COLLATE "C"`];
  // Infinities and NaN are themselves; a NaN has many bit patterns and one meaning, so its bytes stay out.
  if (form === 'float') return [value, sql`CASE WHEN ${value} = 0 THEN float8send(${value}) END`];
  if (form === 'text') throw new RangeError(`No hashed form: ${column.name}`);
  return [sql`${trusted(form.send)}(${value})`];
}

/**
 * The hash of the column's value with `seed`, for types whose hash tells all values apart; undefined for others. NULL
 * hashes like zero or an empty string: who asks keeps count of NULLs.
 */
export function seededHash({ name, form }: FormedColumn, recode: boolean, seed: Sql): Sql | undefined {
  const value = sql`t.${ident(name)}`;
  if (form === 'string') {
    return recode ? undefined : sql`hashtextextended(coalesce(${value} COLLATE "C", ''), ${seed})`;
  }
  if (typeof form !== 'object' || !('hash' in form)) return undefined;
  return sql`${trusted(form.hash)}(coalesce(${value}, ${trusted(form.zero)}), ${seed})`;
}

/** What stands for the column in a row that is hashed as text. */
export const textTerm = (column: FormedColumn): Sql =>
  column.isChar ? sql`charsend(t.${ident(column.name)})` : sql`t.${ident(column.name)}`;
