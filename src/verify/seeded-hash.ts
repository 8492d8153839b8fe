/**
 * Hashes of a value that take the hash of the columns before it as their seed, so that no record has to be formed. Pure.
 *
 * PostgreSQL's functions leave something out of most types; what is missing is added here, so that all values are told
 * apart. A NULL goes in as a random value that nobody's data hold by accident, or, where a type is too small for one to be
 * spared, as any value and a bit beside the hashes.
 */

import { type Sql, sql, trusted } from '../postgres/sql.ts';

export interface SeededHash {
  /** An int8, never NULL. Names its seed once: hashes are nested. */
  readonly hash: (value: Sql, seed: Sql) => Sql;
  /** Conditions that are hashed beside it, as bits of one number. */
  readonly bits?: (value: Sql) => Sql[];
}

const isNull = (value: Sql): Sql => sql`${value} IS NULL`;

/** Its values are bits alone. */
export const flag: SeededHash = { hash: (_value, seed) => seed, bits: (value) => [value, isNull(value)] };

/** Of a type without a value to spare. */
const narrow = (hash: string, any: string): SeededHash => ({
  hash: (value, seed) => sql`${trusted(hash)}(coalesce(${value}, ${trusted(any)}), ${seed})`,
  bits: (value) => [isNull(value)],
});

export const smallint = narrow('hashint2extended', '0::int2');
export const integer = narrow('hashint4extended', '0');
export const oid = narrow('hashoidextended', '0::oid');

/** Its function folds 64 bits to 32. Mixed into the seed, too, all of them count. */
export const bigint: SeededHash = {
  hash(value, seed) {
    const known = sql`coalesce(${value}, '-5188230917064416868'::int8)`;
    return sql`hashint8extended(${known}, ${known} # ${seed})`;
  },
};

export const uuid: SeededHash = {
  hash: (value, seed) =>
    sql`uuid_hash_extended(coalesce(${value}, '5b3c7aa1-9d1e-4e6f-8c55-0d2f1c9b7e42'::uuid), ${seed})`,
};

/** Only in databases of one encoding. */
export const string: SeededHash = {
  hash: (value, seed) =>
    sql`hashtextextended(coalesce(${value} COLLATE "C", 'pgglide: NULL bf2ab1ad5d1ba09c'), ${seed})`,
};

/**
 * The function leaves out the sign, and its result is not mixed for a zero and for powers of 10,000: the sign is hashed behind it.
 * Only for columns with a scale: it leaves out how many digits are shown, too.
 */
export const scaledNumeric: SeededHash = {
  hash(value, seed) {
    const digits = sql`hash_numeric_extended(coalesce(${value}, -5188230917064416868.744), ${seed})`;
    return sql`hashint4extended(CASE WHEN ${value} < 0 THEN 1 ELSE 0 END, ${digits})`;
  },
};

/** Whose function folds its 64 bits to 32. In the seed are the upper ones: which 2^32 microseconds it falls into. */
const ofTimestamp = (timestamp: Sql, seed: Sql): Sql => {
  // The first bin begins before the first timestamp, which is an error.
  const binned = sql`greatest(${timestamp}, '4714-11-24 02:00:00 BC'::timestamp)`;
  // Not 2000-01-01 itself: releases disagree on the bin of what lies whole bins before the origin.
  const bin = sql`date_bin('4294.967296 s'::interval, ${binned}, '2000-01-01 00:00:00.000001'::timestamp)`;
  return sql`timestamp_hash_extended(${timestamp}, timestamp_hash_extended(${bin}, ${seed}))`;
};

export const timestamp: SeededHash = {
  hash: (value, seed) =>
    ofTimestamp(sql`coalesce(${value}, '4321-12-10 03:54:21.987654 BC'::timestamp)`, seed),
};

/** As the timestamp of UTC: by an interval that is a subtraction, by a name it would be looked up for every row. */
export const timestamptz: SeededHash = {
  hash: (value, seed) =>
    ofTimestamp(
      sql`timezone('0'::interval, coalesce(${value}, '4321-12-10 03:54:21.987654+00 BC'::timestamptz))`,
      seed,
    ),
};
