/** A whole migration's surroundings as real processes: two servers, proxy, application, load. The ledger is the judge. */

import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { seedDatabase } from '../../lab/app/seed.ts';
import { type AuditReport, auditLedger } from '../../lab/load/audit.ts';
import { type Outcome, readLedger, succeeded } from '../../lab/load/ledger.ts';
import { until } from '../../src/base/async.ts';
import { otherSide, type Side } from '../../src/domain/names.ts';
import { type EmbeddedServer, startServer } from '../../src/embedded/embedded-server.ts';
import { freePort } from '../../src/embedded/port.ts';
import type { MigrationStatus } from '../../src/observers/status.ts';
import type { ProxyState } from '../../src/proxy/control-types.ts';
import { type RunningPgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { type Ended, type KillAt, killEnvironment, Tool } from './tool.ts';

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const TOOL = file('../../bin/pgglide.js');
const HOOK = file('../../docs/examples/pgbouncer-hook.sh');
const DATABASE = 'shop';
const CONSOLE_USER = 'console';
const PATIENCE_MS = 60_000;

export interface WorldOptions {
  readonly rows?: number;
  /** Requests a second. */
  readonly rate?: number;
  /** Statements for the source, before anything else runs. */
  readonly prepare?: string;
  /** Added to the servers' settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More lines of pgglide.yaml. */
  readonly config?: readonly string[];
  /** A second database that moves together with the shop's, and the statements that fill it. */
  readonly second?: { readonly name: string; readonly prepare: string };
  /** Of our proxy; one when omitted. */
  readonly proxyWorkers?: number;
  /** What the application goes through. Default: our proxy, started by startProxy(). */
  readonly pooler?: 'pgbouncer' | 'hook';
}

/** What a client that goes around the proxy meets on a side. */
export type Door = 'open' | 'fenced' | 'held' | 'down';

/** Smaller ones are copied several at once: with these, at a few MB/s, a copy can be met in its middle. For `prepare`. */
export const LARGE_TABLES = [1, 2, 3]
  .map(
    (n) => `CREATE TABLE public.large_${n} (id int PRIMARY KEY, body text);
    INSERT INTO public.large_${n} SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 9000) i;`,
  )
  .join('\n');

export class World implements AsyncDisposable {
  readonly folder: string;
  readonly servers: Readonly<Record<Side, EmbeddedServer>>;
  readonly seed = randomBytes(16).toString('hex');
  readonly #options: WorldOptions;
  readonly #password = randomBytes(12).toString('hex');
  readonly #processes: Tool[] = [];
  #trafficPort: number;
  #proxy: Tool | undefined;
  #bouncer: RunningPgBouncer | undefined;
  #app: Tool | undefined;
  #load: Tool | undefined;

  private constructor(parts: {
    folder: string;
    servers: Readonly<Record<Side, EmbeddedServer>>;
    proxyPort: number;
    options: WorldOptions;
  }) {
    this.folder = parts.folder;
    this.servers = parts.servers;
    this.#trafficPort = parts.proxyPort;
    this.#options = parts.options;
  }

  /** Both servers run and the source holds a shop; nothing else runs yet. */
  static async create(options: WorldOptions = {}): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-e2e-'));
    const settings = { fsync: 'off', shared_buffers: '64MB', wal_sender_timeout: '5s', ...options.settings };
    const [source, target] = await Promise.all([
      startServer({ majorVersion: 15, settings }),
      startServer({ majorVersion: 16, settings }),
    ]);
    const world = new World({ folder, servers: { source, target }, proxyPort: await freePort(), options });
    try {
      const { second } = options;
      for (const name of world.databases)
        await Promise.all([source, target].map((server) => createDatabase(server, name)));
      await seedDatabase(source.address(DATABASE), {
        rows: options.rows ?? 20_000,
        appRole: { name: 'shop', password: world.#password },
      });
      if (options.prepare !== undefined) await world.query('source', options.prepare);
      if (second !== undefined) await world.query('source', second.prepare, second.name);
      await world.#writeConfiguration();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The shop's first. */
  get databases(): readonly string[] {
    const { second } = this.#options;
    return second === undefined ? [DATABASE] : [DATABASE, second.name];
  }

  async startProxy(): Promise<void> {
    this.#proxy = this.#spawn(['proxy']);
    await this.#proxy.says('listening on');
  }

  /** In place of the proxy; needs the `pooler` option. */
  async startPgBouncer(): Promise<void> {
    const { host, port } = this.servers.source;
    this.#bouncer = await startPgBouncer({
      folder: this.folder,
      databases: ['; side=source', '; epoch=0', `${DATABASE} = host=${host} port=${port} dbname=${DATABASE}`],
      users: { shop: this.#password, [CONSOLE_USER]: this.#password },
      settings: [`admin_users = ${CONSOLE_USER}`, 'pool_mode = transaction'],
    });
    this.#trafficPort = this.#bouncer.port;
    await this.#writeConfiguration();
  }

  /** Of its first process, which has those of its workers as children. */
  get proxyPid(): number | undefined {
    return this.#proxy?.pid;
  }

  async killProxy(): Promise<void> {
    await this.#proxy?.kill();
  }

  /** Application and load; both must go on until stopLoad(). */
  async startLoad(): Promise<void> {
    const { rate = 100 } = this.#options;
    const preparedStatements = this.#options.pooler === undefined;
    const where = { host: '127.0.0.1', port: this.#trafficPort, database: DATABASE };
    const login = { user: 'shop', password: this.#password };
    const SHOP_CONFIG = join(this.folder, 'shop.json');
    await writeFile(SHOP_CONFIG, JSON.stringify({ ...where, ...login, preparedStatements }), { mode: 0o600 });
    this.#app = this.#keep(
      new Tool(script('../../lab/app/main.ts'), { SHOP_CONFIG, SHOP_PORT: '0', SHOP_POOL_SIZE: '8' }),
    );
    await this.#app.says('listening');
    const [, address = ''] = /"listening":"([^"]+)"/.exec(this.#app.output) ?? [];
    const env = {
      LOAD_URL: address,
      LOAD_RATE: String(rate),
      LOAD_LEDGER: this.ledgerPath,
      LOAD_SEED: this.seed,
    };
    this.#load = this.#keep(new Tool(script('../../lab/load/main.ts'), env));
    await this.#load.says('startedAtMs');
  }

  get ledgerPath(): string {
    return join(this.folder, 'ledger.jsonl');
  }

  /** One command of the tool, its progress as JSON lines, running. */
  start(args: readonly string[], killAt?: KillAt): Tool {
    return this.#spawn(
      [...args, '--log-format', 'json'],
      killAt === undefined ? {} : killEnvironment(killAt),
    );
  }

  async run(args: readonly string[], killAt?: KillAt): Promise<Ended> {
    return this.start(args, killAt).ended;
  }

  /** Runs to success. @throws with all it said otherwise */
  async succeed(args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run([...args, '-o', 'json']);
    if (exitCode !== 0) throw new Error(`pgglide ${args.join(' ')}: ${exitCode}\n${stdout}\n${stderr}`);
    return stdout;
  }

  async status(): Promise<MigrationStatus> {
    return JSON.parse(await this.succeed(['status'])) as MigrationStatus;
  }

  /** Undefined while there is no proxy. */
  async proxyState(): Promise<ProxyState | undefined> {
    return new Promise((resolve) => {
      const socketPath = join(this.folder, 'proxy.sock');
      const request = http.get({ socketPath, path: '/v1/state', timeout: 5000 }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve(JSON.parse(text) as ProxyState));
      });
      request.on('error', () => resolve(undefined));
      request.on('timeout', () => request.destroy());
    });
  }

  /** Parts that are copied, as "lane table part time". */
  async copiedParts(): Promise<string[]> {
    const rows = await this.query<{ part: string }>(
      'target',
      `SELECT format('%s %s.%s %s %s', t.lane, p.schema_name, p.table_name, p.part, p.at) AS part
       FROM pgglide.copied_part p JOIN pgglide.copy_table t USING (migration, schema_name, table_name)
       WHERE t.parts = (SELECT count(*) FROM pgglide.copied_part q
         WHERE (q.migration, q.schema_name, q.table_name) = (t.migration, t.schema_name, t.table_name))
       ORDER BY 1`,
    );
    return rows.map(({ part }) => part);
  }

  /** Every row of both sides compared, under load. */
  async isEqual(): Promise<boolean> {
    const { summary } = JSON.parse(await this.succeed(['verify'])) as { summary: { equal: boolean } };
    return summary.equal;
  }

  /** Resolves when nothing is held any more; tells where traffic goes. */
  async trafficGoesOn(): Promise<Side> {
    return until(
      'the end of every hold',
      async () => {
        const state = await this.proxyState();
        return state?.holds.length === 0 ? state.activeSide : undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
  }

  /** What writers meet who go around the proxy. */
  async doors(database = DATABASE): Promise<Record<Side, Door>> {
    const [source, target] = await Promise.all([
      this.door('source', database),
      this.door('target', database),
    ]);
    return { source, target };
  }

  async door(side: Side, database = DATABASE): Promise<Door> {
    try {
      // The fence is a statement's trigger: it fires although there is no such row.
      await this.query(
        side,
        "SET lock_timeout = '300ms'; UPDATE public.countries SET name = name WHERE false",
        database,
      );
      return 'open';
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === '25006') return 'fenced';
      if (code === '55P03') return 'held';
      return 'down';
    }
  }

  /** As the superuser, in a session of its own. */
  async query<Row extends object>(side: Side, text: string, database = DATABASE): Promise<Row[]> {
    const { host, port, user, password } = this.servers[side].address(database);
    const client = new pg.Client({ host, port, user, password: password ?? '', database });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const result = (await client.query<Row>(text)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
      return Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Requests without success so far. */
  async failures(): Promise<Outcome[]> {
    const { outcomes } = await readLedger(this.ledgerPath, this.seed);
    return outcomes.filter((outcome) => !succeeded(outcome));
  }

  /** Resolves when a request that was scheduled after now has succeeded. */
  async requestsSucceed(): Promise<void> {
    const sinceMs = Date.now();
    const probe = async () => {
      const { header, outcomes } = await readLedger(this.ledgerPath, this.seed);
      return outcomes.some((one) => header.startedAtMs + one.atMs > sinceMs && succeeded(one)) || undefined;
    };
    await until('a request that succeeds', probe, { timeoutMs: PATIENCE_MS, intervalMs: 100 });
  }

  async stopLoad(): Promise<void> {
    await this.#load?.kill('SIGTERM');
  }

  /** Stops the load and holds its ledger against both sides. */
  async audit(active: Side): Promise<AuditReport> {
    await this.stopLoad();
    const address = (side: Side) => this.servers[side].address(DATABASE);
    return auditLedger({
      ledgerPath: this.ledgerPath,
      seed: this.seed,
      addresses: { active: address(active), other: address(otherSide(active)) },
      settleMs: 30_000,
    });
  }

  /** What of ours is on a server. */
  async ours(side: Side, database = DATABASE): Promise<string[]> {
    const rows = await this.query<{ what: string }>(
      side,
      `SELECT 'slot ' || slot_name AS what FROM pg_replication_slots WHERE database = current_database()
       UNION ALL SELECT 'publication ' || pubname FROM pg_publication
       UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
         WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'pgglide'
       UNION ALL SELECT 'fence on ' || tgrelid::regclass FROM pg_trigger WHERE tgname = 'pgglide_fence'
       UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'pgglide%'
       ORDER BY 1`,
      database,
    );
    return rows.map(({ what }) => what);
  }

  /** A client of the application's own, through the proxy. */
  async openClient(database: string): Promise<pg.Client> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.#trafficPort,
      user: 'shop',
      password: this.#password,
      database,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#processes) one.goOn();
    await Promise.all(this.#processes.filter((one) => one.isRunning).map((one) => one.kill()));
    await this.#bouncer?.stop();
    await Promise.all(Object.values(this.servers).map((server) => server.remove()));
    await rm(this.folder, { recursive: true, force: true });
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}): Tool {
    const config = join(this.folder, 'pgglide.yaml');
    const own = {
      PGPASSFILE: join(this.folder, 'pgpass'),
      NO_COLOR: '1',
      PGBOUNCER_CONSOLE: this.#console,
      PGBOUNCER_INI: join(this.folder, 'pgbouncer.ini'),
      PGBOUNCER_DATABASE: DATABASE,
    };
    return this.#keep(new Tool([process.execPath, TOOL, ...args, '--config', config], { ...own, ...env }));
  }

  #keep(tool: Tool): Tool {
    this.#processes.push(tool);
    return tool;
  }

  async #writeConfiguration(): Promise<void> {
    const sides = Object.entries(this.servers);
    const control = `unix:${join(this.folder, 'proxy.sock')}`;
    const lines = [
      'migration: e2e',
      ...sides.map(
        ([side, { user, host, port }]) => `${side}: postgresql://${user}@${host}:${port}/${DATABASE}`,
      ),
      ...this.#trafficLines(control),
      'cutover: { guard: { verified: false } }',
      ...(this.databases.length === 1 ? [] : [`databases: [${this.databases.join(', ')}]`]),
      ...(this.#options.config ?? []),
    ];
    const entries = sides.map(
      ([, { host, port, user, password }]) => `${host}:${port}:*:${user}:${password}`,
    );
    entries.push(`127.0.0.1:${this.#trafficPort}:pgbouncer:${CONSOLE_USER}:${this.#password}`);
    const passwords = join(this.folder, 'pgpass');
    await writeFile(join(this.folder, 'pgglide.yaml'), `${lines.join('\n')}\n`);
    await writeFile(passwords, `${entries.join('\n')}\n`);
    await chmod(passwords, 0o600);
  }

  get #console(): string {
    return `host=127.0.0.1 port=${this.#trafficPort} user=${CONSOLE_USER} dbname=pgbouncer sslmode=disable`;
  }

  #trafficLines(control: string): string[] {
    switch (this.#options.pooler) {
      case 'pgbouncer': {
        const files = `configFiles: ["${join(this.folder, 'pgbouncer.ini')}"]`;
        return [`traffic: { driver: pgbouncer, pgbouncer: { consoles: ["${this.#console}"], ${files} } }`];
      }
      case 'hook':
        return [`traffic: { driver: hook, hook: { program: "${HOOK}" } }`];
      default:
        return [
          `proxy: { listen: "127.0.0.1:${this.#trafficPort}", control: "${control}", workers: ${this.#options.proxyWorkers ?? 1} }`,
          `traffic: { driver: proxy, proxies: ["${control}"] }`,
        ];
    }
  }
}

const script = (path: string): string[] => [process.execPath, '--import', 'tsx', file(path)];

async function createDatabase(server: EmbeddedServer, name: string): Promise<void> {
  const { host, port, user, password, database } = server.address('postgres');
  const client = new pg.Client({ host, port, user, password: password ?? '', database });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
}
