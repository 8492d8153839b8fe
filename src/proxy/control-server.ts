/** The control API over HTTP: on a Unix socket or loopback, or anywhere with a token and TLS. Who can reach it, rules the traffic. */

import http from 'node:http';
import type net from 'node:net';
import { z } from 'zod';
import { messageOf } from '../base/message-of.ts';
import { inUrl, isLoopback } from '../config/host-and-port.ts';
import { UsageError } from '../domain/errors.ts';
import { guarded } from './control-guard.ts';
import { ControlRefusal } from './control-refusal.ts';
import { bindSocket } from './control-socket.ts';
import type * as Api from './control-types.ts';
import { cannotListen } from './listen.ts';
import type { ControlListen } from './options.ts';

/** What the control API can see and do. */
export interface Controlled {
  prepare(request: Api.PrepareRequest): Promise<Api.PrepareReply>;
  pause(request: Api.PauseRequest): Promise<Api.PauseReply>;
  renew(request: Api.RenewRequest): void | Promise<void>;
  committing(request: Api.CommittingRequest): void | Promise<void>;
  resume(request: Api.ResumeRequest): Promise<Api.ResumeReply>;
  state(): Api.ProxyState | Promise<Api.ProxyState>;
  /** Undefined: it was not told. */
  identity(): Promise<Api.ProxyIdentity | undefined>;
  sessions(): Api.SessionSummary[] | Promise<Api.SessionSummary[]>;
  metrics(): string | Promise<string>;
}

const side = z.enum(['source', 'target']);
const owner = z.string().min(1).max(200);
const ms = z.number().int().min(0).max(86_400_000);
const leaseMs = ms.min(1);
const epoch = z.number().int().min(0);

const requests = {
  prepare: z.strictObject({ owner, to: side, timeoutMs: ms.min(1) }),
  pause: z.strictObject({ owner, reason: z.string().max(500), leaseMs, drainTimeoutMs: ms }),
  renew: z.strictObject({ owner, leaseMs }),
  committing: z.strictObject({ owner, to: side, epoch, refuseAfterMs: ms }),
  resume: z.strictObject({ owner, side, epoch, isGivenUp: z.boolean().optional() }),
};

type Route = (body: unknown) => unknown;

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ControlRefusal(
    400,
    'bad_request',
    `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
  );
}

function routes(controlled: Controlled): Readonly<Record<string, Route>> {
  return {
    'GET /v1/state': () => controlled.state(),
    'GET /v1/identity': () => controlled.identity(),
    'GET /v1/sessions': () => controlled.sessions(),
    'POST /v1/prepare': (body) => controlled.prepare(read(requests.prepare, body)),
    'POST /v1/pause': (body) => controlled.pause(read(requests.pause, body)),
    'POST /v1/renew': (body) => controlled.renew(read(requests.renew, body)),
    'POST /v1/committing': (body) => controlled.committing(read(requests.committing, body)),
    'POST /v1/resume': (body) => controlled.resume(read(requests.resume, body)),
    'GET /healthz': () => ({ ok: true }),
    'GET /readyz': async () => ready(await controlled.state()),
  };
}

/** Where nobody could tell yet which side is active, clients are refused: they are better off with another proxy. */
function ready({ activeSide }: Api.ProxyState): { readonly ok: true } {
  if (activeSide !== undefined) return { ok: true };
  throw new ControlRefusal(503, 'side_unknown', 'Nobody could tell yet which side is active');
}

export interface ControlServer {
  /** As a client names it: `unix:PATH`, `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly address: string;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 65_536;

/** @throws {UsageError} `control_open_to_others`, `control_taken`, `cannot_listen`, `token_file_unusable`, `tls_files_unusable` */
export async function startControlServer(
  listen: ControlListen,
  controlled: Controlled,
): Promise<ControlServer> {
  if ('host' in listen && listen.guard === undefined && !isLoopback(listen.host)) {
    throw new UsageError(
      'control_open_to_others',
      `The control API would be open to others on ${listen.host}`,
      {
        hint: 'Use unix:PATH, http://127.0.0.1:PORT, or https://HOST:PORT with proxy.tokenFile and proxy.tls.',
      },
    );
  }
  const table = routes(controlled);
  const serve: http.RequestListener = (request, response) => {
    void answer(table, controlled, request, response);
  };
  const guard = 'host' in listen ? listen.guard : undefined;
  const server = guard === undefined ? http.createServer(serve) : guarded(guard, serve);
  // A client keeps its connection between the commands of a switchover, which may be a minute apart.
  server.keepAliveTimeout = 600_000;
  const removeSocket = await bind(server, listen);
  // Of a connection that could not be accepted: the next one may be.
  server.on('error', () => undefined);
  return {
    address: addressOf(listen, server),
    close: () =>
      new Promise((resolve) => {
        removeSocket();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bind(server: http.Server, listen: ControlListen): Promise<() => void> {
  const address = 'unixPath' in listen ? `unix:${listen.unixPath}` : inUrl(listen);
  const listening = (at: net.ListenOptions) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(address, '--control (proxy.control)', cause)));
      server.listen(at, () => resolve());
    });
  if ('unixPath' in listen) return await bindSocket(listen.unixPath, (path) => listening({ path }));
  await listening({ host: listen.host, port: listen.port });
  return () => undefined;
}

function addressOf(listen: ControlListen, server: http.Server): string {
  if ('unixPath' in listen) return `unix:${listen.unixPath}`;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return `${listen.guard === undefined ? 'http' : 'https'}://${inUrl({ host: listen.host, port })}`;
}

async function answer(
  table: Readonly<Record<string, Route>>,
  controlled: Controlled,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  try {
    if (request.method === 'GET' && path === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(await controlled.metrics());
      return;
    }
    const route = table[`${request.method} ${path}`];
    if (route === undefined)
      throw new ControlRefusal(404, 'unknown_route', `No such route: ${request.method} ${path}`);
    const body = request.method === 'POST' ? await readJson(request) : undefined;
    reply(response, 200, (await route(body)) ?? {});
  } catch (error) {
    if (error instanceof ControlRefusal) reply(response, error.status, error);
    else
      reply(response, 500, {
        code: 'proxy_failed',
        message: messageOf(error),
      });
  }
}

function reply(response: http.ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

async function readJson(request: http.IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) throw new ControlRefusal(400, 'bad_request', 'The request is too large');
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new ControlRefusal(400, 'bad_request', 'The request is not JSON');
  }
}
