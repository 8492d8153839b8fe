/** The orders service: plain HTTP and JSON over PostgreSQL. It knows nothing of migrations. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerAddress } from '../../src/index.ts';
import { ShopDatabase } from './database.ts';
import { findRoute, type Match } from './routes.ts';
import type { DatabaseSettings } from './settings.ts';
import { ConflictError } from './writes.ts';

/** As node-postgres has it. At 500 requests/s half of them are busy. */
export const POOL_SIZE = 10;

export interface AppOptions {
  /** Where the database is; as a ServerAddress or as node-postgres takes it. */
  readonly database: ServerAddress | DatabaseSettings;
  /** 0 or omitted: a free one. */
  readonly port?: number;
  /** The address to listen on; 127.0.0.1 when omitted. */
  readonly host?: string;
  /** Database sessions, all opened at the start; POOL_SIZE when omitted. */
  readonly poolSize?: number;
  /** How long stop() waits for clients to go by themselves; every answer asks them to. 0 when omitted. */
  readonly drainMs?: number;
}

export interface RunningApp extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Goes over to another database address without refusing a request. */
  reconfigure(database: ServerAddress | DatabaseSettings): Promise<void>;
  stop(): Promise<void>;
}

/** Rejects with node-postgres's error when the database cannot be reached. */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  const database = await ShopDatabase.open(settingsOf(options.database), options.poolSize ?? POOL_SIZE);
  const host = options.host ?? '127.0.0.1';
  let isStopping = false;
  const server = createServer((request, response) => {
    if (isStopping) response.setHeader('connection', 'close');
    void serve(database, request, response);
  });
  // A server that closes an idle connection at the moment a client picks it fails that client's request.
  server.keepAliveTimeout = 600_000;
  await listen(server, options.port ?? 0, host).catch(async (error) => {
    await database.close();
    throw error;
  });
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    isStopping = true;
    await drained(server, options.drainMs ?? 0);
    await closeServer(server);
    await database.close();
  };
  return {
    url: `http://${host}:${port}`,
    port,
    reconfigure: (to) => database.reconfigure(settingsOf(to)),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function settingsOf(database: ServerAddress | DatabaseSettings): DatabaseSettings {
  if (!('sslMode' in database)) return database;
  const { host, port, user, password } = database;
  return { host, port, user, database: database.database, password: password ?? '' };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

/** No connection is closed here: a request may be on its way on any of them. */
async function drained(server: Server, drainMs: number): Promise<void> {
  const deadline = performance.now() + drainMs;
  const connections = () =>
    new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  while (performance.now() < deadline && (await connections()) > 0) await delay(20);
}

/** Lets running requests finish; their connections are closed as they fall idle. */
async function closeServer(server: Server): Promise<void> {
  const sweeping = setInterval(() => server.closeIdleConnections(), 20);
  await new Promise((resolve) => server.close(resolve));
  clearInterval(sweeping);
}

async function serve(
  database: ShopDatabase,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const match = findRoute(request.method ?? 'GET', path);
    if (match === undefined) return send(response, 404, { error: 'No such route' });
    const requestId = request.headers['idempotency-key'];
    if (match.isWrite && typeof requestId !== 'string') {
      return send(response, 400, { error: 'A write needs the header Idempotency-Key' });
    }
    const body = match.isWrite ? await readJson(request) : {};
    const answer = await match.answer({
      database,
      id: match.id,
      query: new URLSearchParams(query),
      requestId: String(requestId),
      body,
    });
    send(response, answer === undefined ? 404 : statusOf(match), answer ?? { error: 'Not found' });
  } catch (error) {
    send(response, failureStatus(error), { error: error instanceof Error ? error.message : String(error) });
  }
}

const statusOf = (match: Match): number => (match.isWrite ? 201 : 200);

const UNIQUE_VIOLATION = '23505';

/** A repeated request id is a conflict, too: whoever repeats a write must learn that it was done before. */
function failureStatus(error: unknown): number {
  if (error instanceof SyntaxError) return 400;
  const isConflict = error instanceof ConflictError || (error as { code?: string }).code === UNIQUE_VIOLATION;
  return isConflict ? 409 : 500;
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
