/** Our copy (rows, keys, indexes) against the other ways to do it, in turns on the same pair of servers. */

import { until } from '../src/base/async.ts';
import { rounded } from '../src/base/rounded.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import { type EmbeddedServer, startServer } from '../src/embedded/embedded-server.ts';
import { Connection } from '../src/postgres/connection.ts';
import { ident, sql } from '../src/postgres/sql.ts';
import { type Contender, type ContenderName, contenders } from './copy-contenders.ts';
import { contents, fillSource } from './copy-data.ts';
import { totalCpuSeconds } from './cpu-time.ts';
import { median, medianOfKnown } from './median.ts';

export interface CopyBenchOptions {
  /** Of rows on disk, without indexes. Default 2,000. */
  readonly megabytes?: number;
  /** Of each way; the medians count. Default 3. */
  readonly rounds?: number;
  /** Omitted: all whose programs are installed. */
  readonly only?: readonly ContenderName[];
}

interface Measured {
  readonly name: ContenderName;
  /** Median, from an empty database to the last index. */
  readonly seconds: number;
  /** Median CPU time of both servers and the client; undefined where it cannot be read. */
  readonly cpuSeconds: number | undefined;
  /** How many times as long as we it took, median of the rounds' ratios. Goal: at least 1.2. */
  readonly ratio: number;
}

export interface CopyBenchResult {
  readonly megabytes: number;
  readonly rows: number;
  readonly indexes: number;
  readonly rounds: number;
  readonly ways: readonly Measured[];
  /** Of the tool's process, in bytes, over everything above. Goal: at most 200 MB. */
  readonly peakMemoryBytes: number;
}

/** Starts its own PostgreSQL 15 and 16, and removes them. */
export async function run({
  megabytes = 2000,
  rounds = 3,
  only,
}: CopyBenchOptions = {}): Promise<CopyBenchResult> {
  const settings = { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off' };
  await using source = await startServer({ majorVersion: 15, settings });
  await using target = await startServer({ majorVersion: 16, settings });
  await fillSource(source.address(), megabytes);
  const expected = await contents(source.address());
  const ways = contenders().filter(({ name }) => only === undefined || only.includes(name));
  const runs: { name: ContenderName; round: number; seconds: number; cpu: number | undefined }[] = [];
  let peakMemoryBytes = 0;
  // The first copy into a new server pays for its WAL files, which the others find: it does not count.
  const [warmUp] = ways;
  if (warmUp !== undefined)
    await dropDatabase(target.address(), (await measure(warmUp, source, target)).address.database);
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const { seconds, cpu, address } = await measure(way, source, target);
      const found = await contents(address);
      if (found.rows !== expected.rows || found.indexes !== expected.indexes)
        throw new Error(`${way.name} brought over ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
      await dropDatabase(target.address(), address.database);
      runs.push({ name: way.name, round, seconds, cpu });
      if (way.name === 'pgglide') peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    }
  }
  const ours = runs.filter(({ name }) => name === 'pgglide');
  return {
    megabytes,
    ...expected,
    rounds,
    peakMemoryBytes,
    ways: ways.map(({ name }) => {
      const own = runs.filter((one) => one.name === name);
      const ratios = own.map(({ seconds, round }) => seconds / (ours[round]?.seconds ?? seconds));
      const cpu = medianOfKnown(own.map((one) => one.cpu));
      return {
        name,
        seconds: rounded(median(own.map(({ seconds }) => seconds))),
        cpuSeconds: cpu === undefined ? undefined : rounded(cpu),
        ratio: rounded(median(ratios)),
      };
    }),
  };
}

async function measure(way: Contender, source: EmbeddedServer, target: EmbeddedServer) {
  const address = target.address(`copy_${way.name.replace(/\W+/g, '_')}`);
  await using onTarget = await Connection.open(target.address(), { purpose: 'bench' });
  await onTarget.script(sql`CREATE DATABASE ${ident(address.database)}`);
  await onTarget.script(sql`CHECKPOINT`);
  const programs = [source.pid, target.pid, process.pid];
  const cpuBefore = totalCpuSeconds(programs);
  const started = performance.now();
  await way.run({ source: source.address(), target: address });
  const seconds = (performance.now() - started) / 1000;
  await Promise.all([settled(source.address()), settled(target.address())]);
  const cpuAfter = totalCpuSeconds(programs);
  const cpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
  return { seconds, cpu, address };
}

/** A backend's CPU time shows in its postmaster once it has ended. */
async function settled(address: ServerAddress): Promise<void> {
  await using connection = await Connection.open(address, { purpose: 'settled' });
  const others = sql`SELECT FROM pg_stat_activity
    WHERE backend_type IN ('client backend', 'walsender', 'parallel worker', 'logical replication worker')
      AND application_name NOT IN ('pgglide: settled', 'pgglide: bench')`;
  await until(
    'the end of all sessions',
    async () => ((await connection.query(others)).length === 0 ? true : undefined),
    { timeoutMs: 30_000 },
  );
}

async function dropDatabase(address: ServerAddress, database: string): Promise<void> {
  await using connection = await Connection.open(address, { purpose: 'bench' });
  await connection.script(sql`DROP DATABASE ${ident(database)} WITH (FORCE)`);
}
