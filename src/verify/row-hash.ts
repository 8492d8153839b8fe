/** The SQL that hashes one row to 64 bits, the same on both sides. Pure. */

import { slices } from '../base/slices.ts';
import { list, type Sql, sql, trusted } from '../postgres/sql.ts';
import { bitsOf, type FormedColumn, hashedTerms, isSeeded, seededHash, textTerm } from './column-form.ts';

export interface HashMethod {
  /**
   * `record`: hash_record_extended(), PostgreSQL 14 and newer. `text`: hashtextextended() of the row's text.
   * `md5`: where not even that hashes alike on both servers.
   */
  readonly kind: 'record' | 'text' | 'md5';
  /** The databases' encodings differ: strings are hashed as UTF-8. */
  readonly recode: boolean;
}

export type Seed = 0 | 1;
const seedSql = (seed: Seed): Sql => trusted(String(seed));

/** A row constructor takes 1,664 entries; tables have up to 1,600 columns, some of which need two. */
const ROW_ENTRIES = 800;

export function rowHashSql(columns: readonly FormedColumn[], method: HashMethod, seed: Seed): Sql {
  if (method.kind === 'record') return chainedHash(columns, method, seed);
  const text = rowText(columns.map(textTerm));
  if (method.kind === 'md5') {
    const bytes = sql`textsend(${seedSql(seed)}::text || ${text})`;
    return sql`('x' || left(md5(${bytes}), 16))::bit(64)::bigint`;
  }
  const comparable = method.recode ? sql`textsend(${text})::text` : text;
  return sql`hashtextextended(${comparable} COLLATE "C", ${seedSql(seed)})`;
}

/** Each is nested in the next: more would be deep. */
const MAX_CHAINED = 60;
/** Of a positive integer. */
const BITS = 30;

const chainedColumns = (columns: readonly FormedColumn[], { kind, recode }: HashMethod): FormedColumn[] =>
  kind === 'record' ? columns.filter((column) => isSeeded(column, recode)).slice(0, MAX_CHAINED) : [];

/**
 * The hash of each column is the seed of the next one's, which costs half of what a record does and mixes better.
 * What cannot take part in it forms a record, whose hash is the first seed; then come flags and which columns are NULL.
 */
function chainedHash(columns: readonly FormedColumn[], method: HashMethod, seed: Seed): Sql {
  const chained = chainedColumns(columns, method);
  const others = columns.filter((column) => !chained.includes(column));
  let hash =
    others.length > 0 || chained.length === 0
      ? recordHash(recordTerms(others, method.recode), seed)
      : seedSql(seed);
  for (const bits of slices(chained.flatMap(bitsOf), BITS)) {
    const number = bits.map(
      (bit, place) => sql`CASE WHEN ${bit} THEN ${trusted(String(2 ** place))} ELSE 0 END`,
    );
    hash = sql`hashint4extended(${list(number, ' + ')}, ${hash})`;
  }
  for (const column of chained) hash = seededHash(column, hash);
  return hash;
}

/** Columns without a form of their own share one text: one row output costs less than many casts. */
function recordTerms(columns: readonly FormedColumn[], recode: boolean): Sql[] {
  const asText = columns.filter((column) => column.form.record === 'text');
  const terms = columns
    .filter((column) => column.form.record !== 'text')
    .flatMap((c) => hashedTerms(c, recode));
  if (asText.length === 0) return terms;
  const text = rowText(asText.map(textTerm));
  return [...terms, recode ? sql`textsend(${text})` : sql`${text} COLLATE "C"`];
}

const rowText = (terms: readonly Sql[]): Sql => sql`ROW(${list(terms)})::text`;

function recordHash(terms: readonly Sql[], seed: Seed): Sql {
  if (terms.length > ROW_ENTRIES) {
    const hashes = [...slices(terms, ROW_ENTRIES)].map((some) => sql`int8send(${recordHash(some, seed)})`);
    return recordHash(hashes, seed);
  }
  return sql`hash_record_extended(ROW(${list(terms)}), ${seedSql(seed)})`;
}

export const needsMixing = (columns: readonly FormedColumn[], method: HashMethod): boolean =>
  method.kind === 'record' && chainedColumns(columns, method).length === 0;

/**
 * A record's hash is 31 * previous + next: summed over rows, every column adds up on its own, and two rows that
 * swapped a value would go unseen. Mixed with a hash of itself it no longer adds up. A double holds only its upper
 * 53 bits, hence the exclusive or.
 */
export function mixedHash(hash: Sql, columns: readonly FormedColumn[], method: HashMethod, seed: Seed): Sql {
  return needsMixing(columns, method)
    ? sql`(hashfloat8extended(${hash}::float8, ${seedSql(seed)}) # ${hash})`
    : hash;
}
