/** Our verification against the usual md5(string_agg(...)), both on the same pair of servers, in turns. */

import { rounded } from '../src/base/rounded.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import { startServer } from '../src/embedded/embedded-server.ts';
import { Connection } from '../src/postgres/connection.ts';
import { exportSnapshot, releaseSnapshot } from '../src/postgres/snapshot.ts';
import { literal, sql, trusted } from '../src/postgres/sql.ts';
import { planTables } from '../src/schema/plan-tables.ts';
import { verifyPinned } from '../src/verify/verify-pinned.ts';
import { median } from './median.ts';

export interface VerifyBenchOptions {
  /** Of the one table. Default 2,000,000. */
  readonly rows?: number;
  /** Of each way; the medians count. Default 5. */
  readonly rounds?: number;
}

interface Measured {
  /** Median. */
  readonly seconds: number;
  /** Rows of the table, compared on both sides, in a second. */
  readonly rowsPerSecond: number;
}

export interface VerifyBenchResult {
  readonly rows: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly ours64: Measured;
  readonly ours128: Measured;
  readonly md5: Measured;
  /** How many times faster than md5 we are. Goal: at least 4. */
  readonly ratio: number;
}

/** Starts its own PostgreSQL 15 and 16, and removes them. */
export async function run({
  rows = 2_000_000,
  rounds = 5,
}: VerifyBenchOptions = {}): Promise<VerifyBenchResult> {
  const settings = { shared_buffers: '256MB', fsync: 'off' };
  await using source = await startServer({ majorVersion: 15, settings });
  await using target = await startServer({ majorVersion: 16, settings });
  const pair: Pair = { source: source.address(), target: target.address() };
  await Promise.all([fill(pair.source, rows), fill(pair.target, rows)]);
  const seconds: Record<'ours64' | 'ours128' | 'md5', number[]> = { ours64: [], ours128: [], md5: [] };
  // The first round warms both caches and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const took = {
      md5: await byMd5(pair),
      ours64: await byFingerprints(pair, 64),
      ours128: await byFingerprints(pair, 128),
    };
    if (round === 0) continue;
    for (const way of ['ours64', 'ours128', 'md5'] as const) seconds[way].push(took[way]);
  }
  const measured = (way: keyof typeof seconds): Measured => ({
    seconds: median(seconds[way]),
    rowsPerSecond: Math.round(rows / median(seconds[way])),
  });
  const result = { ours64: measured('ours64'), ours128: measured('ours128'), md5: measured('md5') };
  return {
    rows,
    bytes: await bytesOf(pair.source),
    rounds,
    ...result,
    ratio: rounded(result.md5.seconds / result.ours64.seconds),
  };
}

interface Pair {
  readonly source: ServerAddress;
  readonly target: ServerAddress;
}

const open = (address: ServerAddress) => Connection.open(address, { purpose: 'bench' });

/** What a table of a shop looks like: key, texts, money, time, small numbers. */
async function fill(address: ServerAddress, rows: number): Promise<void> {
  await using connection = await open(address);
  await connection.script(sql`
    CREATE TABLE public.account (
      id bigint PRIMARY KEY, owner text, balance numeric(12,2), opened timestamptz, note text, kind int, active bool);
    INSERT INTO public.account
    SELECT n, 'owner ' || n, (n % 100000) / 7.0, '2020-01-01'::timestamptz + n * interval '37 s', md5(n::text), n % 17, n % 3 = 0
    FROM generate_series(1, ${trusted(String(rows))}) n`);
  await connection.script(sql`VACUUM (ANALYZE, FREEZE) public.account`);
}

async function bytesOf(address: ServerAddress): Promise<number> {
  await using connection = await open(address);
  const { bytes } = await connection.one<{ bytes: number }>(
    sql`SELECT pg_relation_size(${literal('public.account')}::regclass) AS bytes`,
  );
  return bytes;
}

/** As the tutorials have it, but on both servers at once. */
async function byMd5(pair: Pair): Promise<number> {
  await using source = await open(pair.source);
  await using target = await open(pair.target);
  const started = performance.now();
  const digest = sql`SELECT md5(string_agg(t::text, '' ORDER BY id)) AS digest FROM public.account AS t`;
  const [here, there] = await Promise.all([
    source.one<{ digest: string }>(digest),
    target.one<{ digest: string }>(digest),
  ]);
  if (here.digest !== there.digest) throw new Error('The servers differ');
  return elapsed(started);
}

async function byFingerprints(pair: Pair, bits: 64 | 128): Promise<number> {
  await using onSource = await open(pair.source);
  await using onTarget = await open(pair.target);
  const { tables } = await planTables(onSource);
  const snapshots = { source: await exportSnapshot(onSource), target: await exportSnapshot(onTarget) };
  const started = performance.now();
  const { summary } = await verifyPinned({
    source: { address: pair.source, snapshot: snapshots.source },
    target: { address: pair.target, snapshot: snapshots.target },
    tables,
    bits,
  });
  const seconds = elapsed(started);
  await Promise.all([releaseSnapshot(onSource), releaseSnapshot(onTarget)]);
  if (!summary.equal) throw new Error('The servers differ');
  return seconds;
}

const elapsed = (started: number): number => Math.round(performance.now() - started) / 1000;
