/**
 * In which form a column enters the hash of its row. Pure.
 *
 * PostgreSQL's own hash of a value is fast, but made for joins, not for proofs: it is the same for 5 and -5, for 1.0
 * and 1.00, for 0.0 and -0.0, for '1 month' and '30 days', for the bigints 0 and 4294967297. So only types whose hash
 * tells all their values apart go in as they are; others go in as the bytes of their binary form, the rest as text.
 */

import { ident, type Sql, sql, trusted } from '../postgres/sql.ts';
import * as seeded from './seeded-hash.ts';

/** A column's type on one side, domains resolved. */
export interface ColumnType {
  readonly baseOid: number;
  /** pg_type.typtype of the base type: b base, e enum, c composite, r range, m multirange. */
  readonly baseKind: string;
  readonly isDomain: boolean;
  /** As format_type() prints it: with a length or scale, a domain by its name. */
  readonly type: string;
}

/**
 * In a record. `value`: hashed as it is. `string`: likewise, as bytes. `float`: as it is, with the sign of zero. `text`: as
 * its output function prints it.
 */
export type RecordForm = 'value' | 'string' | 'float' | 'text' | { readonly send: string };

export interface ColumnForm {
  readonly record: RecordForm;
  /** Costs less, where there is one. */
  readonly seeded?: seeded.SeededHash;
}

const TEXT: ColumnForm = { record: 'text' };
const VALUE: ColumnForm = { record: 'value' };
const sent = (send: string): ColumnForm => ({ record: { send } });

const NUMERIC = 1700;

/** By the OID of a built-in type. */
const FORMS = new Map<number, ColumnForm>([
  [16, { record: 'value', seeded: seeded.flag }], // boolean
  [17, VALUE], // bytea
  [18, VALUE], // "char"
  [20, { record: { send: 'int8send' }, seeded: seeded.bigint }],
  [21, { record: 'value', seeded: seeded.smallint }],
  [23, { record: 'value', seeded: seeded.integer }],
  [26, { record: 'value', seeded: seeded.oid }],
  [650, VALUE], // cidr
  [774, VALUE], // macaddr8
  [829, VALUE], // macaddr
  [869, VALUE], // inet
  [1082, VALUE], // date
  [2950, { record: 'value', seeded: seeded.uuid }],
  [25, { record: 'string', seeded: seeded.string }], // text
  [1043, { record: 'string', seeded: seeded.string }], // varchar
  [700, { record: 'float' }], // real
  [701, { record: 'float' }], // double precision
  [19, sent('namesend')],
  [114, sent('json_send')],
  [790, sent('cash_send')],
  [1042, sent('bpcharsend')],
  [1083, sent('time_send')],
  [1114, { record: { send: 'timestamp_send' }, seeded: seeded.timestamp }],
  [1184, { record: { send: 'timestamptz_send' }, seeded: seeded.timestamptz }],
  [1186, sent('interval_send')],
  [1266, sent('timetz_send')],
  [1560, sent('bit_send')],
  [1562, sent('varbit_send')],
  [NUMERIC, sent('numeric_send')],
  [3220, sent('pg_lsn_send')],
  [3614, sent('tsvectorsend')],
  [3802, sent('jsonb_send')],
]);

const SCALED_NUMERIC: ColumnForm = { record: { send: 'numeric_send' }, seeded: seeded.scaledNumeric };

/** The label, not the OID, which differs between clusters. enum_send() takes no domain. */
const ENUM_LABEL = sent('enum_send');

/** The form that both sides can take: where their types differ, only the texts are comparable. */
export function columnForm(source: ColumnType, target: ColumnType): ColumnForm {
  const isEnum = (type: ColumnType) => type.baseKind === 'e' && !type.isDomain;
  if (isEnum(source) && isEnum(target)) return ENUM_LABEL;
  if (source.baseOid !== target.baseOid) return TEXT;
  const isScaled = source.baseOid === NUMERIC && source.type.startsWith('numeric(');
  if (isScaled && source.type === target.type) return SCALED_NUMERIC;
  return FORMS.get(source.baseOid) ?? TEXT;
}

export interface FormedColumn {
  readonly name: string;
  readonly form: ColumnForm;
  /** A "char" prints bytes above 127 differently since PostgreSQL 15. */
  readonly isChar: boolean;
  /** Its text is twice as long as it is. */
  readonly isBytes?: boolean;
}

const valueIn = ({ name }: FormedColumn): Sql => sql`t.${ident(name)}`;

/** What stands for the column in the hashed row. `recode`: the databases' encodings differ, so strings go in as UTF-8. */
export function hashedTerms(column: FormedColumn, recode: boolean): Sql[] {
  const value = valueIn(column);
  const { record } = column.form;
  if (record === 'value') return [value];
  if (record === 'string') return [recode ? sql`textsend(${value})` : sql`${value} COLLATE "C"`];
  // Infinities and NaN are themselves; a NaN has many bit patterns and one meaning, so its bytes stay out.
  if (record === 'float') return [value, sql`CASE WHEN ${value} = 0 THEN float8send(${value}) END`];
  if (record === 'text') throw new RangeError(`No hashed form: ${column.name}`);
  return [sql`${trusted(record.send)}(${value})`];
}

/** Whether the hash of the column takes the hash of other columns as its seed. */
export const isSeeded = ({ form }: FormedColumn, recode: boolean): boolean =>
  form.seeded !== undefined && !(recode && form.record === 'string');

/** Of a seeded column. */
export const seededHash = (column: FormedColumn, seed: Sql): Sql =>
  column.form.seeded?.hash(valueIn(column), seed) ?? seed;

/** Conditions of a seeded column, to be hashed as bits of one number. */
export const bitsOf = (column: FormedColumn): Sql[] => column.form.seeded?.bits?.(valueIn(column)) ?? [];

/** What stands for the column in a row that is hashed as text. */
export const textTerm = (column: FormedColumn): Sql =>
  column.isChar ? sql`charsend(${valueIn(column)})` : valueIn(column);
