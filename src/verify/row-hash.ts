/** The SQL that hashes one row to 64 bits, the same on both sides. Pure. */

import { list, type Sql, sql, trusted } from '../postgres/sql.ts';
import { type FormedColumn, hashedTerms, textTerm } from './column-form.ts';

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
  if (method.kind === 'record') return recordHash(recordTerms(columns, method.recode), seed);
  const text = rowText(columns.map(textTerm));
  if (method.kind === 'md5') {
    const bytes = sql`textsend(${seedSql(seed)}::text || ${text})`;
    return sql`('x' || left(md5(${bytes}), 16))::bit(64)::bigint`;
  }
  const comparable = method.recode ? sql`textsend(${text})::text` : text;
  return sql`hashtextextended(${comparable} COLLATE "C", ${seedSql(seed)})`;
}

/** Columns without a form of their own share one text: one row output costs less than many casts. */
function recordTerms(columns: readonly FormedColumn[], recode: boolean): Sql[] {
  const asText = columns.filter((column) => column.form === 'text');
  const terms = columns.filter((column) => column.form !== 'text').flatMap((c) => hashedTerms(c, recode));
  if (asText.length === 0) return terms;
  const text = rowText(asText.map(textTerm));
  return [...terms, recode ? sql`textsend(${text})` : sql`${text} COLLATE "C"`];
}

const rowText = (terms: readonly Sql[]): Sql => sql`ROW(${list(terms)})::text`;

function recordHash(terms: readonly Sql[], seed: Seed): Sql {
  if (terms.length > ROW_ENTRIES) {
    const chunks: Sql[] = [];
    for (let start = 0; start < terms.length; start += ROW_ENTRIES) {
      chunks.push(sql`int8send(${recordHash(terms.slice(start, start + ROW_ENTRIES), seed)})`);
    }
    return recordHash(chunks, seed);
  }
  return sql`hash_record_extended(ROW(${list(terms)}), ${seedSql(seed)})`;
}

/**
 * A record's hash is 31 * previous + next: summed over rows, every column adds up on its own, and two rows that
 * swapped a value would go unseen. Mixed with a hash of itself it no longer adds up. A double holds only its upper
 * 53 bits, hence the exclusive or.
 */
export function mixedHash(hash: Sql, method: HashMethod, seed: Seed): Sql {
  return method.kind === 'record'
    ? sql`(hashfloat8extended(${hash}::float8, ${seedSql(seed)}) # ${hash})`
    : hash;
}
