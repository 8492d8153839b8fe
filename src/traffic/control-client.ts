/** The proxy's control API as a client sees it: JSON over one kept HTTP connection. */

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { readToken } from '../config/token-file.ts';
import { RefusedError, UnexpectedError, UnreachableError, UsageError } from '../domain/errors.ts';
import type { ControlError } from '../proxy/control-types.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** What addresses beyond this machine need. */
export interface ControlAccess {
  /** Path of the token's file. */
  readonly tokenFile?: string | undefined;
  /** PEM; undefined: the public certificates. */
  readonly caFile?: string | undefined;
  /** Another way to the address than the network: the address is its own to understand. */
  readonly connect?: ((address: string) => Promise<Duplex>) | undefined;
}

interface Way {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
  readonly target: http.RequestOptions;
  readonly token: string | undefined;
}

const KEPT = { keepAlive: true, maxSockets: 4 };

/** The token goes out encrypted, to a server whose name the certificate proves, or not at all. @throws {UsageError} `bad_address`, `token_file_unusable` */
function wayTo(address: string, { tokenFile, caFile, connect }: ControlAccess): Way {
  const plain = { request: http.request, agent: new http.Agent(KEPT), token: undefined };
  if (connect !== undefined) {
    plain.agent.createConnection = (_options, opened) => {
      connect(address).then(
        (stream) => opened?.(null, stream),
        (error: Error) => opened?.(error, undefined as never),
      );
      return undefined;
    };
    return { ...plain, target: { host: 'localhost' } };
  }
  if (address.startsWith('unix:')) {
    return { ...plain, target: { socketPath: address.slice('unix:'.length), host: 'localhost' } };
  }
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('bad_address', `Not a control address: ${address}`, {
      hint: 'Write unix:PATH, http://HOST:PORT or https://HOST:PORT.',
    });
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:') return { ...plain, target: { host, port: Number(url.port || 80) } };
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
  return {
    request: https.request,
    agent: new https.Agent({ ...KEPT, minVersion: 'TLSv1.2', ...ca }),
    target: { host, port: Number(url.port || 443) },
    token: tokenFile === undefined ? undefined : readToken(tokenFile),
  };
}

export class ControlClient {
  readonly address: string;
  readonly #way: Way;

  /** @throws {UsageError} `bad_address`, `token_file_unusable` */
  constructor(address: string, access: ControlAccess = {}) {
    this.address = address;
    this.#way = wayTo(address, access);
  }

  /**
   * @throws {UnreachableError} `proxy_unreachable` when there is no answer within `timeoutMs`
   * @throws {RefusedError} with the proxy's own code when it refuses
   */
  async call<Reply>(method: 'GET' | 'POST', path: string, timeoutMs: number, body?: object): Promise<Reply> {
    const { status, text } = await this.#exchange(method, path, timeoutMs, body).catch((cause: unknown) => {
      const reason =
        cause instanceof Error ? cause.message || (cause as { code?: string }).code : String(cause);
      throw this.#unreachable(String(reason), cause);
    });
    if (status !== 200) throw this.#refusal(status, text);
    try {
      return JSON.parse(text) as Reply;
    } catch (cause) {
      throw this.#unreachable('what answers there is none', cause);
    }
  }

  close(): void {
    this.#way.agent.destroy();
  }

  #unreachable(reason: string, cause: unknown): UnreachableError {
    return new UnreachableError('proxy_unreachable', `Cannot reach the proxy at ${this.address}: ${reason}`, {
      hint: 'Is the proxy running, and is this its control address?',
      facts: { control: this.address },
      cause,
    });
  }

  #refusal(status: number, text: string): Error {
    let error: ControlError;
    try {
      error = JSON.parse(text) as ControlError;
    } catch {
      error = { code: 'proxy_failed', message: `HTTP ${status}` };
    }
    const message = `The proxy at ${this.address} refuses: ${error.message}`;
    const details = {
      facts: { control: this.address, status },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
    return status >= 500
      ? new UnexpectedError(error.code, message, details)
      : new RefusedError(error.code, message, details);
  }

  #exchange(
    method: string,
    path: string,
    timeoutMs: number,
    body: object | undefined,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const { target, agent, token } = this.#way;
      const request = this.#way.request(
        {
          ...target,
          agent,
          method,
          path,
          signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS + timeoutMs),
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') });
          });
        },
      );
      request.on('socket', (socket) => socket.setNoDelay(true));
      request.on('error', reject);
      request.end(payload);
    });
  }
}
