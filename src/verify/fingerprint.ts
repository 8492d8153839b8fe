/** Row count and an order-independent hash of rows. */

import type { Connection } from '../postgres/connection.ts';
import { list, type Sql, sql, trusted } from '../postgres/sql.ts';
import type { FormedColumn } from './column-form.ts';
import { fromPart, type HeapPart } from './heap-part.ts';
import { type HashMethod, mixedHash, needsMixing, rowHashSql, type Seed } from './row-hash.ts';

export type Bits = 64 | 128;
export const seedsOf = (bits: Bits): readonly Seed[] => (bits === 64 ? [0] : [0, 1]);

/**
 * Sums of row hashes modulo 2^64, one for each seed. A sum and not an exclusive or: the latter does not see a row
 * that is there twice, nor two that both are.
 */
export interface Fingerprint {
  readonly rows: number;
  readonly sums: readonly bigint[];
}

export const emptyFingerprint = (bits: Bits): Fingerprint => ({
  rows: 0,
  sums: seedsOf(bits).map(() => 0n),
});

export const addFingerprints = (a: Fingerprint, b: Fingerprint): Fingerprint => ({
  rows: a.rows + b.rows,
  sums: a.sums.map((sum, index) => BigInt.asUintN(64, sum + (b.sums[index] ?? 0n))),
});

export const sameFingerprint = (a: Fingerprint, b: Fingerprint): boolean =>
  a.rows === b.rows && a.sums.every((sum, index) => sum === b.sums[index]);

/** 16 or 32 hexadecimal digits. */
export const fingerprintHex = (fingerprint: Fingerprint): string =>
  fingerprint.sums.map((sum) => sum.toString(16).padStart(16, '0')).join('');

export interface HashedRows {
  readonly columns: readonly FormedColumn[];
  readonly method: HashMethod;
  readonly bits: Bits;
}

const hashName = (seed: Seed): Sql => trusted(`h${seed}`);

/** The rows of a part with a column h0 (and h1), computed once each: OFFSET 0 keeps the planner from computing it again at each use. */
export function hashedPart(part: HeapPart, rows: HashedRows, more: readonly Sql[] = []): Sql {
  const hashes = seedsOf(rows.bits).map(
    (seed) => sql`${rowHashSql(rows.columns, rows.method, seed)} AS ${hashName(seed)}`,
  );
  return sql`(SELECT ${list([...hashes, ...more])} ${fromPart(part)} OFFSET 0) AS r`;
}

/** Select list over `hashedPart`: rows and one sum a seed, as text because they pass 2^53. */
export function fingerprintTerms(rows: HashedRows): Sql {
  const sums = seedsOf(rows.bits).map(
    (seed) => sql`coalesce(sum(${mixedHash(hashName(seed), rows.columns, rows.method, seed)}), 0)::text`,
  );
  return sql`count(*) AS rows, ARRAY[${list(sums)}] AS sums`;
}

/** Where a hash is used only once, a subquery would only cost. */
function directFingerprint(part: HeapPart, { columns, method, bits }: HashedRows): Sql {
  const sums = seedsOf(bits).map((seed) => sql`coalesce(sum(${rowHashSql(columns, method, seed)}), 0)::text`);
  return sql`SELECT count(*) AS rows, ARRAY[${list(sums)}] AS sums ${fromPart(part)}`;
}

export interface FingerprintRow {
  readonly rows: number;
  readonly sums: readonly string[];
}

export const fingerprintOf = (row: FingerprintRow): Fingerprint => ({
  rows: row.rows,
  sums: row.sums.map((sum) => BigInt.asUintN(64, BigInt(sum))),
});

export interface HashedPart {
  readonly part: HeapPart;
  readonly rows: HashedRows;
}

/** Reads the part once; constant memory on both ends. */
export async function fingerprintPart(
  connection: Connection,
  part: HeapPart,
  rows: HashedRows,
): Promise<Fingerprint> {
  return fingerprintOf(await connection.one<FingerprintRow>(fingerprintSql({ part, rows })));
}

/** The same for several parts in one round trip, which takes longer than a table of a few rows. */
export async function fingerprintParts(
  connection: Connection,
  parts: readonly HashedPart[],
): Promise<Fingerprint[]> {
  const looks = parts.map((part, place) => {
    const number = trusted(String(place));
    return sql`SELECT ${number} AS place, p.* FROM (${fingerprintSql(part)}) AS p`;
  });
  const rows = await connection.query<FingerprintRow>(sql`${list(looks, ' UNION ALL ')} ORDER BY place`);
  return rows.map(fingerprintOf);
}

const fingerprintSql = ({ part, rows }: HashedPart): Sql =>
  needsMixing(rows.columns, rows.method)
    ? sql`SELECT ${fingerprintTerms(rows)} FROM ${hashedPart(part, rows)}`
    : directFingerprint(part, rows);
