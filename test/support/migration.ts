/** A migration between two test databases, through a real proxy, with every event at hand. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { runProxy } from '../../src/cli/proxy-runner.ts';
import type { ServerAddress } from '../../src/config/server-address.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { Finding } from '../../src/domain/finding.ts';
import type { AbortResult } from '../../src/migration/finish.ts';
import { type Migration, openMigration } from '../../src/migration/migration.ts';
import type { SwitchResult } from '../../src/migration/switch.ts';
import type { MigrationStatus } from '../../src/observers/status.ts';
import { openProxySwitch } from '../../src/traffic/proxy-switch.ts';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import type { Verification } from '../../src/verify/verification.ts';
import type { Database } from './database.ts';

/** Each runs one command of a fresh tool, as the command line does. */
interface Commands {
  check(): Promise<Finding[]>;
  sync(): Promise<void>;
  status(): Promise<MigrationStatus>;
  verify(): Promise<Verification>;
  /** Both sides hold the same rows, by `verify`. */
  expectEqual(): Promise<void>;
  cutover(): Promise<SwitchResult>;
  rollback(): Promise<SwitchResult>;
  abort(): Promise<AbortResult>;
}

export interface Scene extends Commands {
  /** Commands that start from now on see what a test changes here. */
  settings: Settings;
  readonly events: MigrationEvent[];
  /** Where applications connect. */
  readonly proxy: { readonly host: string; readonly port: number };
  /** The same for what takes options, or is no command of its own here. */
  run<T>(work: (migration: Migration) => Promise<T>, options?: RunOptions): Promise<T>;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Called with every event as it happens. */
  readonly onEvent?: (event: MigrationEvent) => void;
  /** Changes what the traffic switch does. */
  readonly traffic?: (real: TrafficSwitch) => TrafficSwitch;
}

interface Ends {
  readonly source: { readonly address: ServerAddress };
  readonly target: { readonly address: ServerAddress };
}

/** Everything is gone when `play` is over: proxy, links, slots. */
export async function withScene(ends: Ends, play: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-test-'));
  const control = `unix:${join(folder, 'proxy.sock')}`;
  const stop = new AbortController();
  const { source, target } = { source: ends.source.address, target: ends.target.address };
  let serving: Promise<void> = Promise.resolve();
  const listening = new Promise<number>((resolve, reject) => {
    const onReady = (proxy: { readonly port: number }) => resolve(proxy.port);
    const migration = source.database;
    const { signal } = stop;
    serving = runProxy({ listen: '127.0.0.1:0', migration, source, target, control, signal, onReady });
    serving.catch(reject);
  });
  const events: MigrationEvent[] = [];
  const settings = settingsFor(source, target, control);
  try {
    const port = await listening;
    const run: Scene['run'] = async (work, options = {}) => {
      const openTraffic = () => {
        const real = openProxySwitch([control], `test:${process.pid}`);
        return options.traffic?.(real) ?? real;
      };
      const emit = (event: MigrationEvent) => {
        events.push(event);
        options.onEvent?.(event);
      };
      const signal = options.signal ?? new AbortController().signal;
      await using migration = await openMigration(scene.settings, { emit, signal, openTraffic });
      return await work(migration);
    };
    const scene: Scene = { settings, events, proxy: { host: '127.0.0.1', port }, run, ...commands(run) };
    await play(scene);
  } finally {
    stop.abort();
    await serving.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

function commands(run: Scene['run']): Commands {
  const verify = () => run((migration) => migration.verify());
  return {
    check: () => run((migration) => migration.check()),
    sync: () => run((migration) => migration.sync()),
    status: () => run((migration) => migration.status()),
    verify,
    expectEqual: async () => expect((await verify()).summary).toMatchObject({ equal: true }),
    cutover: () => run((migration) => migration.cutover()),
    rollback: () => run((migration) => migration.rollback()),
    abort: () => run((migration) => migration.abort()),
  };
}

/** A user's session of its own; the caller ends it. */
export async function openSession({
  host,
  port,
  user,
  password,
  database,
}: ServerAddress): Promise<pg.Client> {
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  return client;
}

/** Of one statement, in a session of its own. */
export async function rows(
  server: { readonly address: () => ServerAddress },
  statement: string,
): Promise<unknown[]> {
  const session = await openSession(server.address());
  try {
    return (await session.query(statement)).rows;
  } finally {
    await session.end();
  }
}

export function settingsFor(source: ServerAddress, target: ServerAddress, control: string): Settings {
  return {
    migration: source.database,
    source,
    target,
    sourceForTarget: source,
    targetForSource: target,
    otherDatabases: [],
    scope: { schemas: undefined, exclude: [] },
    copy: {
      jobs: 2,
      indexJobs: 2,
      splitTablesLargerThanBytes: 256e6,
      rateLimitBytesPerSecond: undefined,
      unloggedTables: 'carry',
    },
    replication: { lanes: 1, divide: 'groups' },
    throttle: {
      maxWalRetainedBytes: 20e9,
      maxReplicaLagMs: undefined,
      maxActiveSessions: undefined,
      flagFile: undefined,
      maxSlotWaitMs: 60_000,
    },
    verify: { bits: 64, jobs: 2, staleAfterMs: 86_400_000, settleMs: 0 },
    cutover: { pauseBudgetMs: 5000, requireVerified: false, prewarm: false },
    kubernetes: { kubeconfig: undefined, context: undefined, namespace: undefined },
    traffic: {
      driver: 'proxy',
      proxies: [control],
      tokenFile: undefined,
      caFile: undefined,
      kubernetes: {
        application: undefined,
        image: undefined,
        pullSecret: undefined,
        tlsSecret: undefined,
        replicas: 2,
        servers: { source, target },
        rolloutTimeoutMs: 600_000,
      },
      pgbouncer: { bouncers: [], database: source.database },
      hook: { program: undefined, timeoutMs: 30_000 },
    },
    hooks: { dir: undefined, timeoutMs: 60_000, withheld: [] },
    dashboard: { listen: '127.0.0.1:0', tokenFile: undefined },
    proxy: {
      listen: '127.0.0.1:0',
      control,
      workers: 1,
      stateFile: undefined,
      tokenFile: undefined,
      tls: undefined,
      usersFile: undefined,
      immovable: 'refuse',
      limits: { maxClients: 10_000, startupTimeoutMs: 60_000, connectTimeoutMs: 10_000 },
    },
  };
}

/** Methods of a class instance, so that it can be spread. */
export function bound(real: TrafficSwitch): TrafficSwitch {
  return {
    observe: () => real.observe(),
    prepare: (to) => real.prepare(to),
    pause: (options) => real.pause(options),
    renew: (leaseMs) => real.renew(leaseMs),
    committing: (to, epoch) => real.committing(to, epoch),
    resume: (side, epoch) => real.resume(side, epoch),
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
}

/** Begins a transaction that nobody can disable the side's link past. */
export async function holdSubscriptionSql(side: Database): Promise<string> {
  const [row] = await side.rows<{ name: string }>(
    'SELECT subname AS name FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()',
  );
  return `BEGIN; ALTER SUBSCRIPTION "${row?.name}" SET (synchronous_commit = off)`;
}
