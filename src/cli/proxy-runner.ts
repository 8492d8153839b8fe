/** The proxy as a command: in one process, or in several that share its port. */

import { type ChildProcess, fork } from 'node:child_process';
import { entryPoint } from '../base/entry-point.ts';
import { hostAndPort } from '../config/host-and-port.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { UsageError } from '../domain/errors.ts';
import { readTlsFiles } from '../proxy/client-tls.ts';
import { startControlServer } from '../proxy/control-server.ts';
import { refuseTaken } from '../proxy/control-socket.ts';
import { listen } from '../proxy/listen.ts';
import { type ControlListen, DEFAULT_LIMITS, type ProxyOptions } from '../proxy/options.ts';
import { type RunningProxy, startProxy } from '../proxy/start-proxy.ts';
import { UsersFile } from '../proxy/users-file.ts';
import { WorkerPool } from '../proxy/worker-pool.ts';
import { AskedServers } from './asked-servers.ts';
import type { WorkerStart } from './proxy-worker.ts';

export interface RunProxyOptions
  extends Pick<ProxyOptions, 'clientTls' | 'usersFile' | 'immovable' | 'limits' | 'assume' | 'warn'> {
  /** The migration's name, as its row on the target has it. */
  readonly migration: string;
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress;
  /** `unix:PATH`, `http://HOST:PORT`, or `https://HOST:PORT`, which needs `tokenFile` and `clientTls`. */
  readonly control: string;
  readonly tokenFile?: string | undefined;
  readonly workers?: number;
  readonly stateFile?: string | undefined;
  readonly signal: AbortSignal;
  /** Called once clients can connect. */
  readonly onReady?: (proxy: Pick<RunningProxy, 'port' | 'controlAddress'>) => void;
}

/** Serves until the signal is aborted. @throws {UsageError} `bad_address`, `control_unguarded`, and what startProxy throws */
export async function runProxy(options: RunProxyOptions): Promise<void> {
  const addresses = { listen: hostAndPort(options.listen), control: controlListen(options) };
  const serve = (options.workers ?? 1) > 1 ? serveWithWorkers : serveAlone;
  await serve(options, addresses, async (proxy) => {
    options.onReady?.(proxy);
    await new Promise<void>((resolve) => {
      if (options.signal.aborted) resolve();
      else options.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  });
}

type Addresses = Pick<ProxyOptions, 'listen' | 'control'>;
type Use = (proxy: Pick<RunningProxy, 'port' | 'controlAddress'>) => Promise<void>;

async function serveAlone(options: RunProxyOptions, addresses: Addresses, use: Use): Promise<void> {
  const servers = { source: options.source, target: options.target };
  await using asked = new AskedServers(servers, options.migration);
  const { stateFile, clientTls, usersFile, immovable, limits, assume, warn } = options;
  const more = { stateFile, clientTls, usersFile, immovable, limits, assume, warn };
  const proxy = await startProxy({ ...addresses, servers, ...asked.answers, ...more });
  try {
    await use(proxy);
  } finally {
    await proxy.close();
  }
}

async function serveWithWorkers(options: RunProxyOptions, addresses: Addresses, use: Use): Promise<void> {
  const { source, target, clientTls, usersFile, limits, workers: count = 1 } = options;
  const { migration, stateFile, immovable, assume } = options;
  if ('unixPath' in addresses.control) await refuseTaken(addresses.control.unixPath);
  // Said by us rather than by a worker that cannot start.
  if (usersFile !== undefined) new UsersFile(usersFile);
  if (clientTls !== undefined) readTlsFiles(clientTls);
  const maxClients = Math.ceil((limits?.maxClients ?? DEFAULT_LIMITS.maxClients) / count);
  const start: Omit<WorkerStart, 'index'> = {
    servers: { source, target },
    migration,
    assume,
    stateFile,
    clientTls,
    usersFile,
    immovable,
    limits: { ...limits, maxClients },
  };
  const pool = new WorkerPool({ count, fork: forkWorker, startMessage: (index) => ({ ...start, index }) });
  try {
    await pool.start();
    const listener = await listen(addresses.listen, (socket) => pool.accept(socket), { handedOn: true });
    pool.listen = listener.name;
    const control = await startControlServer(addresses.control, pool);
    try {
      await use({ port: listener.port, controlAddress: control.address });
    } finally {
      void listener.close();
      await control.close();
    }
  } finally {
    await pool.close();
  }
}

/** What a worker needs comes over its pipe: arguments and environment are for everyone to read. */
function forkWorker(): ChildProcess {
  const { file, loader } = entryPoint('src/cli/proxy-worker');
  return fork(file, [], { execArgv: [...loader] });
}

function controlListen({ control, tokenFile, clientTls }: RunProxyOptions): ControlListen {
  if (control.startsWith('unix:')) return { unixPath: control.slice('unix:'.length) };
  const [, scheme, rest] = /^(https?):\/\/([^/]+)\/?$/.exec(control) ?? [];
  if (rest === undefined) {
    throw new UsageError('bad_address', `Not a control address: ${control}`, {
      hint: 'Write unix:PATH, http://HOST:PORT or https://HOST:PORT.',
    });
  }
  if (scheme === 'http') return hostAndPort(rest);
  if (tokenFile === undefined || clientTls === undefined) {
    throw new UsageError('control_unguarded', `${control} needs a token and a certificate`, {
      hint: 'Set proxy.tokenFile, proxy.tls.cert and proxy.tls.key.',
    });
  }
  return { ...hostAndPort(rest), guard: { tokenFile, tls: clientTls } };
}
