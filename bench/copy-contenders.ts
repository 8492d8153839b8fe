/** The ways to bring a database's tables, rows and indexes from one server to another. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../src/base/async.ts';
import { subscriptionConninfo } from '../src/config/conninfo.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import { copyParts } from '../src/copy/copy-tables.ts';
import { planCopy } from '../src/copy/plan-copy.ts';
import { Connection } from '../src/postgres/connection.ts';
import { exportSnapshot } from '../src/postgres/snapshot.ts';
import { ident, literal, sql, trusted } from '../src/postgres/sql.ts';
import { classifyRestore } from '../src/schema/classify-restore.ts';
import { dumpSchema } from '../src/schema/dump-schema.ts';
import { buildTuning, tableSizes } from '../src/schema/index-builds.ts';
import { IndexesAhead } from '../src/schema/indexes-ahead.ts';
import { planTables } from '../src/schema/plan-tables.ts';
import { restoreStage } from '../src/schema/restore-stage.ts';
import type { SchemaStatement } from '../src/schema/statement.ts';
import { INDEXES, TABLES } from './copy-data.ts';

export interface CopyPair {
  readonly source: ServerAddress;
  /** An empty database. */
  readonly target: ServerAddress;
}

export type ContenderName = 'pgglide' | 'pg_dump | psql' | 'native subscription' | 'pgcopydb';

export interface Contender {
  readonly name: ContenderName;
  /** Programs that must be on PATH. */
  readonly needs: readonly string[];
  run(pair: CopyPair): Promise<void>;
}

const JOBS = 2;

const open = (address: ServerAddress): Promise<Connection> => Connection.open(address, { purpose: 'bench' });

/** As sync does it: schema, copy with the indexes of large tables meanwhile, then the rest. */
async function pgglide({ source, target }: CopyPair): Promise<void> {
  const stages = new Map(classifyRestore(await dumpSchema(source)).map((stage) => [stage.name, stage]));
  const connect = () => open(target);
  const done = new Set<number>();
  const record = async (_: Connection, statements: readonly SchemaStatement[]) => {
    for (const { n } of statements) done.add(n);
  };
  const restoring = { connect, width: JOBS, record };
  const preData = stages.get('pre-data');
  if (preData !== undefined) await restoreStage({ ...restoring, stage: preData });
  await using holder = await open(source);
  const snapshot = await exportSnapshot(holder);
  await using reader = await open(source);
  await using onTarget = await open(target);
  const { tables } = await planTables(holder);
  const statements = [...stages.values()].flatMap((stage) => stage.tasks.map((task) => task.statement));
  const sized = classifyRestore(
    statements.filter(({ section }) => section === 'post-data'),
    tableSizes(tables),
  );
  const indexes = sized.find(({ name }) => name === 'indexes');
  if (indexes === undefined) throw new RangeError('No indexes');
  const tuning = { build: buildTuning };
  await using ahead = new IndexesAhead({ ...restoring, stage: indexes, tuning });
  const parts = await planCopy(reader, onTarget, tables, { jobs: JOBS, splitBytes: 2 ** 31 });
  await copyParts({
    source,
    target,
    snapshot,
    parts,
    jobs: () => JOBS,
    recordParts: async () => undefined,
    onTableCopied: (table) => ahead.tableCopied(table),
  });
  await ahead.finish();
  for (const stage of sized) {
    const tasks = stage.tasks.filter(({ statement }) => !done.has(statement.n));
    await restoreStage({ ...restoring, stage: { ...stage, tasks }, tuning });
  }
}

/** PostgreSQL's own initial copy, into tables that have their indexes, as its manual describes it. */
async function nativeSubscription({ source, target }: CopyPair): Promise<void> {
  await using onSource = await open(source);
  await using onTarget = await open(target);
  const name = `bench_${target.database}`;
  await onTarget.script(trusted(TABLES));
  for (const ddl of Object.values(INDEXES).flat()) await onTarget.script(trusted(ddl));
  await onSource.script(
    sql`CREATE PUBLICATION ${ident(name)} FOR TABLE public.account, public.orders, public.event`,
  );
  await onTarget.script(sql`CREATE SUBSCRIPTION ${ident(name)}
    CONNECTION ${literal(subscriptionConninfo(source))} PUBLICATION ${ident(name)}`);
  try {
    await until(
      'the subscription’s initial copy',
      async () => {
        const open = await onTarget.query(sql`SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'`);
        return open.length === 0 ? true : undefined;
      },
      { timeoutMs: 1_800_000, intervalMs: 50 },
    );
  } finally {
    await onTarget.script(sql`DROP SUBSCRIPTION ${ident(name)}`);
    await onSource.script(sql`DROP PUBLICATION ${ident(name)}`);
  }
}

async function dumpAndRestore({ source, target }: CopyPair): Promise<void> {
  const dump = start('pg_dump', ['--no-owner', '--no-privileges'], libpqEnvironment(source), 'pipe');
  const restore = start('psql', ['-q', '-X', '-v', 'ON_ERROR_STOP=1'], libpqEnvironment(target), 'pipe');
  dump.process.stdout?.pipe(restore.process.stdin ?? process.stdout);
  await Promise.all([dump.done, restore.done]);
}

async function pgcopydb({ source, target }: CopyPair): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'pgglide-bench-'));
  const jobs = [`--table-jobs=${JOBS}`, `--index-jobs=${JOBS}`, '--split-tables-larger-than=256MB'];
  const environment = {
    PGCOPYDB_SOURCE_PGURI: uri(source),
    PGCOPYDB_TARGET_PGURI: uri(target),
    TMPDIR: directory,
  };
  try {
    const options = ['--dir', join(directory, 'work'), '--no-owner', '--no-acl', ...jobs];
    await start('pgcopydb', ['clone', ...options], environment, 'ignore').done;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Holds the password: for a child's environment only. */
const uri = ({ user, password, host, port, database }: ServerAddress): string =>
  `postgresql://${user}:${encodeURIComponent(password ?? '')}@${host}:${port}/${database}?sslmode=disable`;

const libpqEnvironment = (address: ServerAddress): NodeJS.ProcessEnv => ({
  PGHOST: address.host,
  PGPORT: String(address.port),
  PGUSER: address.user,
  PGPASSWORD: address.password ?? '',
  PGDATABASE: address.database,
  PGSSLMODE: 'disable',
});

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv, input: 'pipe' | 'ignore') {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: [input, input === 'pipe' ? 'pipe' : 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2000);
  });
  const done = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}: ${words}`)),
    );
  });
  return { process: child, done };
}

const CONTENDERS: readonly Contender[] = [
  { name: 'pgglide', needs: [], run: pgglide },
  { name: 'pg_dump | psql', needs: ['pg_dump', 'psql'], run: dumpAndRestore },
  { name: 'native subscription', needs: [], run: nativeSubscription },
  { name: 'pgcopydb', needs: ['pgcopydb', 'pg_dump', 'pg_restore'], run: pgcopydb },
];

/** Those whose programs are installed. */
export const contenders = (): readonly Contender[] => CONTENDERS.filter(({ needs }) => needs.every(isOnPath));

const isOnPath = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
