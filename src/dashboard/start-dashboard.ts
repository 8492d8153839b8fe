/** The page's server: on loopback with a token of its own, or anywhere with one that was given. */

import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { type HostAndPort, hostAndPort, inUrl, isLoopback } from '../config/host-and-port.ts';
import { readToken } from '../config/token-file.ts';
import { UsageError } from '../domain/errors.ts';
import type { Facts } from './facts.ts';
import type { PageSettings } from './page-state.ts';
import { dashboardRoutes } from './routes.ts';
import { Watch } from './watch.ts';

export interface DashboardOptions {
  /** HOST:PORT; port 0 takes a free one. */
  readonly listen: string;
  readonly tokenFile: string | undefined;
  readonly settings: PageSettings;
  readonly facts: Facts;
}

export interface Dashboard extends AsyncDisposable {
  readonly url: string;
  /** Undefined: the one of the file. */
  readonly newToken: string | undefined;
}

const TOKEN_BYTES = 24;

/** @throws {UsageError} `bad_address`, `dashboard_open_to_others`, `cannot_listen`, `token_file_unusable` */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const address = hostAndPort(options.listen);
  const { tokenFile } = options;
  refuseOpen(address, tokenFile);
  const newToken = tokenFile === undefined ? randomBytes(TOKEN_BYTES).toString('base64url') : undefined;
  const token = () => newToken ?? readToken(tokenFile ?? '');
  token();
  const stop = new AbortController();
  const watch = new Watch(options.facts);
  const routes = dashboardRoutes({ watch, settings: options.settings, token, signal: stop.signal });
  const server = createAdaptorServer({ fetch: routes.fetch }) as Server;
  await listen(server, address);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${inUrl({ host: address.host, port })}/`,
    newToken,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await watch[Symbol.asyncDispose]();
    },
  };
}

function refuseOpen({ host }: HostAndPort, tokenFile: string | undefined): void {
  if (isLoopback(host) || tokenFile !== undefined) return;
  throw new UsageError('dashboard_open_to_others', `The dashboard would be open to others on ${host}`, {
    hint: 'Set dashboard.tokenFile, or listen on 127.0.0.1 and reach it through ssh -L or kubectl port-forward.',
  });
}

function listen(server: Server, address: HostAndPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(address, cause)));
    server.listen(address.port, address.host, resolve);
  });
}

function cannotListen(address: HostAndPort, cause: NodeJS.ErrnoException): Error {
  return new UsageError('cannot_listen', `Cannot listen on ${inUrl(address)}: ${cause.message}`, {
    hint: 'Is another dashboard running there? Choose another address with --listen.',
    cause,
  });
}
