/**
 * How much sooner a target catches up when its tables are divided over several lanes: the same changes are written while
 * nobody follows, then all subscriptions start at once. `PGGLIDE_BENCH_TRANSACTIONS` sets another number than 40,000.
 */

import { rounded } from '../src/base/rounded.ts';
import { subscriptionConninfo } from '../src/config/conninfo.ts';
import { laneNames, OWN_SCHEMA } from '../src/domain/names.ts';
import { type EmbeddedServer, startServer } from '../src/embedded/embedded-server.ts';
import { Connection } from '../src/postgres/connection.ts';
import { dropLane } from '../src/postgres/drop-lane.ts';
import { awaitMarkers, createMarkerSql, writeMarkers } from '../src/postgres/marker.ts';
import { createPublication } from '../src/postgres/publication.ts';
import { copySlot, createSlot } from '../src/postgres/replication-slot.ts';
import { ident, list, sql, trusted } from '../src/postgres/sql.ts';
import { createSubscription, enableSubscriptionSql } from '../src/postgres/subscription.ts';
import { totalCpuSeconds } from './cpu-time.ts';
import { median, medianOfKnown } from './median.ts';

interface CatchUp {
  readonly lanes: number;
  /** Median, from the start of the subscriptions until everything had arrived. */
  readonly seconds: number;
  /** Median, of both servers; undefined where it cannot be read. */
  readonly cpuSeconds: number | undefined;
  /** How many times as fast as one lane, median of the rounds' ratios. */
  readonly timesAsFast: number;
}

export interface LanesBenchResult {
  readonly tables: number;
  /** Each changes one row of every table. */
  readonly transactions: number;
  readonly rounds: number;
  /** Applying costs processor time only. */
  readonly busy: readonly CatchUp[];
  /** Every row waits 0.2 ms for something else, as for a disk. A tenth of the transactions. */
  readonly waiting: readonly CatchUp[];
}

const TABLES = Array.from({ length: 8 }, (_, place) => ({ schema: 'public', name: `t_${place + 1}` }));
const ROWS = 20_000;
const LANES = [1, 2, 4];
const ROUNDS = 3;
const TIMEOUT_MS = 600_000;

/** Starts its own PostgreSQL 15 and 16, and removes them. */
export async function run(): Promise<LanesBenchResult> {
  const transactions = Number(process.env.PGGLIDE_BENCH_TRANSACTIONS ?? 40_000);
  const settings = { shared_buffers: '256MB', max_wal_size: '4GB', autovacuum: 'off' };
  await using source = await startServer({ majorVersion: 15, settings });
  const workers = { max_logical_replication_workers: '8', max_worker_processes: '16' };
  await using target = await startServer({ majorVersion: 16, settings: { ...settings, ...workers } });
  await using publisher = await Connection.open(source.address(), { purpose: 'bench' });
  await using subscriber = await Connection.open(target.address(), { purpose: 'bench' });
  for (const side of [publisher, subscriber]) await fill(side);
  const pair = { source, target, publisher, subscriber };
  // The first ones pay for the servers' WAL files, which the others find: they do not count.
  await catchUp(pair, 1, transactions);
  const busy = await inTurns(pair, transactions);
  await waitOnEachRow(subscriber);
  const waiting = await inTurns(pair, transactions / 10);
  return { tables: TABLES.length, transactions, rounds: ROUNDS, busy, waiting };
}

interface Pair {
  readonly source: EmbeddedServer;
  readonly target: EmbeddedServer;
  readonly publisher: Connection;
  readonly subscriber: Connection;
}

async function fill(side: Connection): Promise<void> {
  await side.script(sql`CREATE SCHEMA ${ident(OWN_SCHEMA)}; SET synchronous_commit = off`);
  for (const { schema, name } of TABLES) {
    await side.script(sql`
      CREATE TABLE ${ident(schema, name)} (id int PRIMARY KEY, n int NOT NULL, note text);
      INSERT INTO ${ident(schema, name)} SELECT g, 0, repeat('x', 100) FROM generate_series(1, ${trusted(String(ROWS))}) g`);
  }
  await side.script(sql`VACUUM (ANALYZE)`);
}

async function waitOnEachRow(side: Connection): Promise<void> {
  await side.script(sql`
    CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_catalog.pg_sleep(0.0002); RETURN NULL; END'`);
  for (const { schema, name } of TABLES) {
    await side.script(sql`
      CREATE TRIGGER wait AFTER UPDATE ON ${ident(schema, name)} FOR EACH ROW EXECUTE FUNCTION public.wait();
      ALTER TABLE ${ident(schema, name)} ENABLE ALWAYS TRIGGER wait`);
  }
}

async function inTurns(pair: Pair, transactions: number): Promise<CatchUp[]> {
  const rounds: { readonly seconds: number; readonly cpu: number | undefined }[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const measured = [];
    for (const lanes of LANES) measured.push(await catchUp(pair, lanes, transactions));
    rounds.push(measured);
  }
  return LANES.map((lanes, place) => {
    const own = rounds.flatMap((round) => round[place] ?? []);
    const ratios = rounds.map((round) => (round[0]?.seconds ?? 0) / (round[place]?.seconds ?? 1));
    const cpu = medianOfKnown(own.map((one) => one.cpu));
    return {
      lanes,
      seconds: rounded(median(own.map((one) => one.seconds))),
      cpuSeconds: cpu === undefined ? undefined : rounded(cpu),
      timesAsFast: rounded(median(ratios)),
    };
  });
}

async function catchUp(
  pair: Pair,
  count: number,
  transactions: number,
): Promise<{ readonly seconds: number; readonly cpu: number | undefined }> {
  const { source, publisher, subscriber } = pair;
  const lanes = Array.from({ length: count }, (_, place) => laneNames('bench', 'forward', place + 1));
  const markers = lanes.map(({ marker }) => marker);
  for (const [place, { publication, marker }] of lanes.entries()) {
    for (const side of [publisher, subscriber]) await side.script(createMarkerSql(marker));
    const tables = TABLES.filter((_, number) => number % count === place);
    await createPublication(publisher, publication, [marker, ...tables]);
  }
  // A slot knows only publications that were there before it.
  const [first, ...others] = lanes.map(({ slot }) => slot);
  await createSlot(publisher, first ?? '', { timeoutMs: 60_000 });
  for (const slot of others) await copySlot(publisher, first ?? '', slot);
  const conninfo = subscriptionConninfo(source.address());
  for (const lane of lanes) await createSubscription(subscriber, lane, conninfo, { enabled: false });
  await write(publisher, transactions);
  await writeMarkers(publisher, markers, 'all');
  const servers = [source.pid, pair.target.pid];
  const cpuBefore = totalCpuSeconds(servers);
  const started = performance.now();
  await subscriber.script(
    list(
      lanes.map(({ subscription }) => enableSubscriptionSql(subscription)),
      '; ',
    ),
  );
  if (!(await awaitMarkers(subscriber, markers, 'all', { timeoutMs: TIMEOUT_MS, intervalMs: 5 })))
    throw new Error(`${count} lane(s) have not caught up`);
  const seconds = (performance.now() - started) / 1000;
  const cpuAfter = totalCpuSeconds(servers);
  for (const lane of lanes) await dropLane(publisher, subscriber, lane);
  return {
    seconds,
    cpu: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
  };
}

/** One transaction after the other, each with a row of every table. */
async function write(publisher: Connection, transactions: number): Promise<void> {
  const updates = TABLES.map(
    ({ schema, name }) =>
      sql`UPDATE ${ident(schema, name)} SET n = n + 1 WHERE id = 1 + i % ${trusted(String(ROWS))};`,
  );
  await publisher.script(sql`
    DO $$ BEGIN FOR i IN 1..${trusted(String(transactions))} LOOP ${list(updates, ' ')} COMMIT; END LOOP; END $$`);
}
