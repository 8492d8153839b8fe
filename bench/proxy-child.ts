/** `pgglide proxy` in a process of its own, as a user starts it, so that its memory and time are its own. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../src/base/async.ts';
import type { ServerAddress } from '../src/config/server-address.ts';
import type { ProxyState } from '../src/proxy/control-types.ts';
import { ControlClient } from '../src/traffic/control-client.ts';
import { residentBytes } from '../test/support/resident-memory.ts';

export interface ProxyChildOptions {
  /** Holds its control socket. */
  readonly folder: string;
  readonly name: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  readonly workers?: number;
  readonly usersFile?: string;
}

export interface ProxyChild extends AsyncDisposable {
  readonly port: number;
  readonly control: string;
  /** Resident memory of all its processes. */
  rssBytes(): number;
}

const BIN = fileURLToPath(new URL('../bin/pgglide.js', import.meta.url));
const uri = ({ host, port, user, database }: ServerAddress): string =>
  `host=${host} port=${port} user=${user} dbname=${database} sslmode=disable`;

export async function startProxyChild(options: ProxyChildOptions): Promise<ProxyChild> {
  const { folder, name, source, target, workers = 1, usersFile } = options;
  const control = `unix:${join(folder, name)}`;
  const args = ['proxy', '--listen', '127.0.0.1:0', '--control', control, '--workers', String(workers)];
  if (usersFile !== undefined) args.push('--users-file', usersFile);
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      PGGLIDE_SOURCE: uri(source),
      PGGLIDE_TARGET: uri(target),
      PGPASSWORD: source.password,
      PGGLIDE_TARGET_PASSWORD: target.password,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const client = new ControlClient(control);
  const state = await until(
    `the proxy ${name}`,
    () => client.call<ProxyState>('GET', '/v1/state', 1_000).catch(() => undefined),
    { timeoutMs: 30_000 },
  );
  client.close();
  return {
    port: Number(/:(\d+)$/.exec(state.listen)?.[1]),
    control,
    rssBytes: () => residentBytes(child.pid ?? 0),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
