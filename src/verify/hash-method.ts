/** Chooses how rows are hashed from what both servers can do, and proves it on samples instead of trusting versions. */

import type { Connection } from '../postgres/connection.ts';
import { list, type Sql, sql } from '../postgres/sql.ts';
import { type BothSides, onBothSides } from './both-sides.ts';
import type { HashMethod } from './row-hash.ts';
import * as seeded from './seeded-hash.ts';

export interface ServerTraits {
  readonly versionNumber: number;
  readonly encoding: string;
  /** hashtextextended() of a sample. */
  readonly textHash: string;
  /** hash_record_extended() of samples of every type that is hashed as a value, in binary form or with a seed; undefined before 14. */
  readonly recordHash: string | undefined;
}

const SEED = sql`1`;

/** PostgreSQL keeps these hashes from version to version, because hash indexes and hash partitions hold them; forks may not. */
const SAMPLES: readonly Sql[] = [
  sql`true`,
  sql`'\\x00ff'::bytea`,
  sql`'x'::"char"`,
  sql`(-2)::int2`,
  sql`(-70000)::int4`,
  sql`4000000000::oid`,
  sql`'10.0.0.0/8'::cidr`,
  sql`'::1/64'::inet`,
  sql`'08:00:2b:01:02:03:04:05'::macaddr8`,
  sql`'08:00:2b:01:02:03'::macaddr`,
  sql`'infinity'::date`,
  sql`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid`,
  sql`'twelve bytes and more'::text COLLATE "C"`,
  sql`1.5::float4`,
  sql`'NaN'::float8`,
  sql`'-Infinity'::float8`,
  sql`namesend('n')`,
  sql`int8send(-5000000000)`,
  sql`json_send('{"b": 1, "a": 2}')`,
  sql`cash_send(100::money)`,
  sql`bpcharsend('a ')`,
  sql`time_send('24:00')`,
  sql`timestamp_send('infinity')`,
  sql`timestamptz_send('2020-02-28 12:00 BC')`,
  sql`interval_send('1 mon -3 days 04:05:06.7')`,
  sql`timetz_send('23:59:59.999999+14')`,
  sql`bit_send(B'101')`,
  sql`varbit_send(B'10101010101')`,
  sql`numeric_send('NaN')`,
  sql`numeric_send(-1234567890.12300)`,
  sql`pg_lsn_send('16/B374D848')`,
  sql`tsvectorsend('a:1A b:2,3')`,
  sql`jsonb_send('{"b": 1.00, "aa": [null, "x"]}')`,
  seeded.smallint.hash(sql`(-2)::int2`, SEED),
  seeded.integer.hash(sql`(-70000)::int4`, SEED),
  seeded.oid.hash(sql`4000000000::oid`, SEED),
  seeded.bigint.hash(sql`(-5000000000)::int8`, SEED),
  seeded.uuid.hash(sql`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid`, SEED),
  seeded.string.hash(sql`'twelve bytes and more'::text`, SEED),
  seeded.scaledNumeric.hash(sql`(-1234567890.123)::numeric(20,3)`, SEED),
  seeded.timestamp.hash(sql`'2020-02-28 12:00 BC'::timestamp`, SEED),
  seeded.timestamptz.hash(sql`'infinity'::timestamptz`, SEED),
];

const FIRST_WITH_RECORD_HASH = 140_000;

export async function readServerTraits(connection: Connection): Promise<ServerTraits> {
  const traits = await connection.one<Omit<ServerTraits, 'recordHash'>>(sql`
    SELECT current_setting('server_version_num')::int AS "versionNumber", current_setting('server_encoding') AS encoding,
      hashtextextended('a sample longer than twelve bytes' COLLATE "C", 1)::text AS "textHash"`);
  if (traits.versionNumber < FIRST_WITH_RECORD_HASH) return { ...traits, recordHash: undefined };
  const { recordHash } = await connection.one<{ recordHash: string }>(
    sql`SELECT hash_record_extended(ROW(${list(SAMPLES)}), 1)::text AS "recordHash"`,
  );
  return { ...traits, recordHash };
}

/** The fastest way that gives both servers the same hash of the same row. */
export function chooseHashMethod(traits: BothSides<ServerTraits>): HashMethod {
  const { source, target } = traits;
  const recode = source.encoding !== target.encoding;
  if (source.recordHash !== undefined && source.recordHash === target.recordHash) {
    return { kind: 'record', recode };
  }
  return { kind: source.textHash === target.textHash ? 'text' : 'md5', recode };
}

/** PostgreSQL 14 and newer read a range of ctids without reading the rest of the heap. */
export const splitsHeaps = (traits: ServerTraits): boolean => traits.versionNumber >= 140_000;

export const traitsOfBoth = (connections: BothSides<Connection>): Promise<BothSides<ServerTraits>> =>
  onBothSides((side) => readServerTraits(connections[side]));
