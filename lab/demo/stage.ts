/** What stands on the demo's stage: two servers, the proxy, the application, the load. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EmbeddedServer, type ServerAddress, startServer } from '../../src/index.ts';
import { connect } from '../app/connect.ts';
import { seedDatabase } from '../app/seed.ts';
import { freePort } from '../labctl/local/ports.ts';
import { Children } from './child.ts';
import type { DemoOptions } from './options.ts';

const DATABASE = 'shop';
/** A disk that has minutes of work waiting is not the demo's to wait for. */
const MOST_SYNC_MS = 15_000;
const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const isBuilt = import.meta.url.endsWith('.js');
const tool = file(isBuilt ? '../../../bin/pgglide.js' : '../../bin/pgglide.js');

export interface Command {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Stage {
  readonly folder: string;
  readonly options: DemoOptions;
  readonly seed = randomBytes(16).toString('hex');
  readonly #children = new Children();
  readonly #password = randomBytes(12).toString('hex');
  #source: EmbeddedServer | undefined;
  #target: EmbeddedServer | undefined;
  #appUrl = '';
  #proxyPort = 0;
  #load: { stop(): Promise<readonly string[]> } | undefined;
  #isClosed = false;

  private constructor(folder: string, options: DemoOptions) {
    this.folder = folder;
    this.options = options;
  }

  static async create(options: DemoOptions): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'pgglide-demo-')), options);
  }

  get ledgerPath(): string {
    return join(this.folder, 'ledger.jsonl');
  }

  address(side: 'source' | 'target'): ServerAddress {
    const server = side === 'source' ? this.#source : this.#target;
    if (server === undefined) throw new Error('The servers have not been started');
    return server.address(DATABASE);
  }

  get versions(): readonly string[] {
    return [this.#source?.version ?? '', this.#target?.version ?? ''];
  }

  async startServers(): Promise<void> {
    const { from, to } = this.options;
    // Both ends have two databases' worth of WAL and one machine's memory: modest, and flushed as in production.
    const settings = { shared_buffers: '256MB', max_wal_size: '4GB', wal_compression: 'on' };
    const start = async (majorVersion: number, keep: (server: EmbeddedServer) => void) => {
      const server = await startServer({ majorVersion, settings });
      keep(server);
      if (this.#isClosed) await server.remove();
    };
    await Promise.all([
      start(from, (server) => {
        this.#source = server;
      }),
      start(to, (server) => {
        this.#target = server;
      }),
    ]);
    await Promise.all(
      [this.#source, this.#target].map((server) => server && createDatabase(server.address('postgres'))),
    );
  }

  async seedSource(): Promise<void> {
    await seedDatabase(this.address('source'), {
      rows: this.options.rows,
      appRole: { name: 'shop', password: this.#password },
    });
  }

  /**
   * What npm and the seed have written lies in memory, and the kernel writes it half a minute later in one go, in which every
   * commit waits: here that would be the first switch. Not to be had everywhere, and then the demo goes on without.
   */
  async settleDisk(): Promise<void> {
    await new Promise<void>((resolve) => {
      const sync = spawn('sync', [], { stdio: 'ignore', timeout: MOST_SYNC_MS });
      sync.once('error', () => resolve());
      sync.once('exit', () => resolve());
    });
  }

  async startProxy(): Promise<void> {
    this.#proxyPort = await freePort();
    await this.#writeConfiguration();
    const command = [process.execPath, tool, 'proxy', '--config', join(this.folder, 'pgglide.yaml')];
    await this.#children.start(
      command,
      this.#environment(),
      (line) => line.includes('listening') || undefined,
    );
  }

  async startApp(): Promise<void> {
    const env = {
      DATABASE_URL: `postgresql://shop:${this.#password}@127.0.0.1:${this.#proxyPort}/${DATABASE}`,
      SHOP_PORT: '0',
    };
    const started = await this.#children.start(script('../app/main.ts'), env, (line) =>
      reading(line, 'listening'),
    );
    this.#appUrl = String(started.ready);
  }

  async startLoad(): Promise<void> {
    const env = {
      LOAD_URL: this.#appUrl,
      LOAD_RATE: String(this.options.rate),
      LOAD_LEDGER: this.ledgerPath,
      LOAD_SEED: this.seed,
      LOAD_WARMUP_MS: '2000',
    };
    this.#load = await this.#children.start(script('../load/main.ts'), env, (line) =>
      reading(line, 'startedAtMs'),
    );
  }

  async stopLoad(): Promise<void> {
    await this.#load?.stop();
  }

  /** The command line as a user would type it; what it says about progress goes to `onLine`. */
  async pgglide(args: readonly string[], onLine?: (line: string) => void): Promise<Command> {
    const command = [process.execPath, tool, ...args, '--config', join(this.folder, 'pgglide.yaml')];
    return this.#children.run(command, this.#environment(), onLine);
  }

  howToConnect(): string[] {
    const { source, target } = { source: this.address('source'), target: this.address('target') };
    const passfile = join(this.folder, 'pgpass');
    return [
      `source       PGPASSFILE=${passfile} psql -h ${source.host} -p ${source.port} -U ${source.user} ${DATABASE}`,
      `target       PGPASSFILE=${passfile} psql -h ${target.host} -p ${target.port} -U ${target.user} ${DATABASE}`,
      `proxy        PGPASSFILE=${passfile} psql -h 127.0.0.1 -p ${this.#proxyPort} -U shop ${DATABASE}`,
      `application  curl ${this.#appUrl}/db`,
      `pgglide      PGPASSFILE=${passfile} npx pgglide status --config ${join(this.folder, 'pgglide.yaml')}`,
    ];
  }

  /** Ends every process and removes the folder. May be called at any moment, and again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#children.end();
    await Promise.all([this.#source?.remove(), this.#target?.remove()]);
    await rm(this.folder, { recursive: true, force: true });
  }

  #environment(): Readonly<Record<string, string>> {
    return { PGPASSFILE: join(this.folder, 'pgpass'), NO_COLOR: '1' };
  }

  async #writeConfiguration(): Promise<void> {
    const [source, target] = [this.address('source'), this.address('target')];
    const uri = ({ user, host, port }: ServerAddress) => `postgresql://${user}@${host}:${port}/${DATABASE}`;
    const control = `unix:${join(this.folder, 'proxy.sock')}`;
    const lines = [
      'migration: demo',
      `source: ${uri(source)}`,
      `target: ${uri(target)}`,
      'copy: { jobs: 2 }',
      `proxy: { listen: "127.0.0.1:${this.#proxyPort}", control: "${control}" }`,
      `traffic: { driver: proxy, proxies: ["${control}"] }`,
    ];
    await writeFile(join(this.folder, 'pgglide.yaml'), `${lines.join('\n')}\n`, { mode: 0o600 });
    const entries = [source, target].map(
      ({ host, port, user, password }) => `${host}:${port}:*:${user}:${password}`,
    );
    const app = `127.0.0.1:${this.#proxyPort}:*:shop:${this.#password}`;
    await writeFile(join(this.folder, 'pgpass'), `${[...entries, app].join('\n')}\n`, { mode: 0o600 });
  }
}

/** Sources run through tsx, a build runs as it is. */
function script(path: string): string[] {
  if (isBuilt) return [process.execPath, file(path.replace(/\.ts$/, '.js'))];
  return [process.execPath, '--import', import.meta.resolve('tsx'), file(path)];
}

function reading(line: string, key: string): unknown {
  if (!line.startsWith('{')) return undefined;
  return (JSON.parse(line) as Record<string, unknown>)[key];
}

async function createDatabase(address: ServerAddress): Promise<void> {
  const client = await connect(address, 'shop demo');
  await client.query(`CREATE DATABASE ${DATABASE}`);
  await client.end();
}
