/** A PgBouncer of a test's own, where the program is installed. */

import { execFileSync, spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { until } from '../../src/base/async.ts';
import { freePort } from '../../src/embedded/port.ts';

export interface PgBouncerOptions {
  /** Holds its files; opened to all, because PgBouncer runs as nobody where we are root. */
  readonly folder: string;
  /** Lines under [databases]. */
  readonly databases: readonly string[];
  /** Of clients, and towards the servers: name -> password. */
  readonly users: Readonly<Record<string, string>>;
  /** More lines under [pgbouncer]. */
  readonly settings?: readonly string[];
}

export interface RunningPgBouncer {
  readonly port: number;
  readonly configFile: string;
  stop(): Promise<void>;
}

export const hasPgBouncer = ((): boolean => {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Returns once it accepts connections. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<RunningPgBouncer> {
  const { folder, databases, users, settings = [] } = options;
  await chmod(folder, 0o755);
  const port = await freePort();
  const configFile = join(folder, 'pgbouncer.ini');
  const userFile = join(folder, 'pgbouncer-users.txt');
  const entries = Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`);
  await writeFile(userFile, entries.join(''), { mode: 0o644 });
  const lines = [
    '[databases]',
    ...databases,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'auth_type = scram-sha-256',
    `auth_file = ${userFile}`,
    'unix_socket_dir =',
    'ignore_startup_parameters = extra_float_digits',
    ...settings,
  ];
  await writeFile(configFile, `${lines.join('\n')}\n`, { mode: 0o644 });
  const asRoot = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn('pgbouncer', ['-q', ...asRoot, configFile], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await until('PgBouncer', async () => ((await accepts(port)) ? true : undefined), { timeoutMs: 10_000 });
  return {
    port,
    configFile,
    async stop() {
      child.kill('SIGINT');
      await ended;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
