/** Two servers and the real command line before them, for what users do wrong. */

import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { packagePath } from '../../src/base/package-root.ts';
import { SIDES, type Side } from '../../src/domain/names.ts';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { type Ended, Tool } from '../e2e/tool.ts';

const PROGRAM = packagePath('bin', 'pgglide.js');

/** Everything a command could have made, as text: of the cluster, and of the one database. */
const INVENTORY = `
  SELECT 'database ' || datname AS what FROM pg_database
  UNION ALL SELECT 'role ' || rolname FROM pg_roles
  UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots
  UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
  UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin
  UNION ALL SELECT 'publication ' || pubname FROM pg_publication
  UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
  UNION ALL SELECT 'relation ' || oid::regclass FROM pg_class WHERE relnamespace > 16383 OR relnamespace = 'public'::regnamespace
  UNION ALL SELECT 'trigger ' || tgname || ' ' || tgenabled::text FROM pg_trigger
  UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity WHERE application_name LIKE 'pgglide%'
  ORDER BY 1`;

export interface BedOptions {
  readonly source: EmbeddedServer;
  readonly target: EmbeddedServer;
  /** Of the source's database; SQL. */
  readonly schema?: string;
  /** Written instead of the right ones into the password file. */
  readonly passwords?: Partial<Record<Side, string>>;
  /** Another port than the server's. */
  readonly ports?: Partial<Record<Side, number>>;
  readonly config?: readonly string[];
}

export class Bed implements AsyncDisposable {
  readonly database: Readonly<Record<Side, string>>;
  readonly folder: string;
  readonly #options: BedOptions;

  private constructor(folder: string, options: BedOptions) {
    const name = `cli_${randomBytes(4).toString('hex')}`;
    this.database = { source: `${name}_source`, target: `${name}_target` };
    this.folder = folder;
    this.#options = options;
  }

  static async create(options: BedOptions): Promise<Bed> {
    const bed = new Bed(await mkdtemp(join(tmpdir(), 'pgglide-cli-')), options);
    for (const side of SIDES) {
      await rows(options[side], 'postgres', `CREATE DATABASE ${bed.database[side]}`);
    }
    if (options.schema !== undefined) await bed.rows('source', options.schema);
    await bed.#configure();
    return bed;
  }

  get configPath(): string {
    return join(this.folder, 'pgglide.yaml');
  }

  /** The command line as it is typed, in the folder with the configuration. */
  async pgglide(args: readonly string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** The same, running. */
  start(args: readonly string[]): Tool {
    return new Tool([process.execPath, PROGRAM, ...args], this.#env);
  }

  /** A script of bash that calls pgglide. */
  async shell(script: string): Promise<Ended> {
    const program = `pgglide() { '${process.execPath}' '${PROGRAM}' "$@"; }\n`;
    return new Tool(['bash', '-c', program + script], this.#env).ended;
  }

  get #env(): Readonly<Record<string, string>> {
    return { PGPASSFILE: join(this.folder, 'pgpass'), NO_COLOR: '1', PGGLIDE_CONFIG: this.configPath };
  }

  rows<Row extends object>(side: Side, text: string): Promise<Row[]> {
    return rows<Row>(this.#options[side], this.database[side], text);
  }

  /** What is there, on both servers. */
  async inventory(): Promise<readonly string[]> {
    const both = await Promise.all(
      SIDES.map(async (side) => {
        const found = await this.rows<{ what: string }>(side, INVENTORY);
        return found.map(({ what }) => `${side}: ${what}`);
      }),
    );
    return both.flat();
  }

  /** Passwords that no output may hold. */
  get secrets(): readonly string[] {
    const { source, target, passwords } = this.#options;
    return [source.password, target.password, ...Object.values(passwords ?? {})];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test that failed half-way has left a link.
    if ((await this.inventory()).includes('target: schema pgglide')) await this.pgglide(['abort', '--yes']);
    for (const side of ['target', 'source'] as const) {
      await rows(this.#options[side], 'postgres', `DROP DATABASE ${this.database[side]} WITH (FORCE)`);
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #configure(): Promise<void> {
    const { ports, passwords, config } = this.#options;
    const sides = SIDES.map((side) => {
      const { user, host, port, password } = this.#options[side];
      return { side, user, host, port: ports?.[side] ?? port, password: passwords?.[side] ?? password };
    });
    const lines = [
      'migration: cli',
      ...sides.map(
        (at) => `${at.side}: postgresql://${at.user}@${at.host}:${at.port}/${this.database[at.side]}`,
      ),
      `traffic: { driver: proxy, proxies: ["unix:${join(this.folder, 'nobody.sock')}"] }`,
      ...(config ?? []),
    ];
    await writeFile(this.configPath, `${lines.join('\n')}\n`);
    const entries = sides.map((at) => `${at.host}:${at.port}:*:${at.user}:${at.password}`);
    await writeFile(join(this.folder, 'pgpass'), `${entries.join('\n')}\n`);
    await chmod(join(this.folder, 'pgpass'), 0o600);
  }
}

async function rows<Row extends object>(
  server: EmbeddedServer,
  database: string,
  text: string,
): Promise<Row[]> {
  const { host, port, user, password } = server;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  try {
    const result = (await client.query<Row>(text)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
    return Array.isArray(result) ? (result.at(-1)?.rows ?? []) : result.rows;
  } finally {
    await client.end();
  }
}
