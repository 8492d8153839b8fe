/** The proxy's control API as a client sees it: JSON over one kept HTTP connection. */

import http from 'node:http';
import { RefusedError, UnexpectedError, UnreachableError } from '../domain/errors.ts';
import type { ControlError } from '../proxy/control-types.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** `unix:PATH` or `http://HOST:PORT`. */
function target(address: string): http.RequestOptions {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length), host: 'localhost' };
  const url = new URL(address);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
}

export class ControlClient {
  readonly address: string;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  readonly #target: http.RequestOptions;

  constructor(address: string) {
    this.address = address;
    this.#target = target(address);
  }

  /**
   * @throws {UnreachableError} `proxy_unreachable` when there is no answer within `timeoutMs`
   * @throws {RefusedError} with the proxy's own code when it refuses
   */
  async call<Reply>(method: 'GET' | 'POST', path: string, timeoutMs: number, body?: object): Promise<Reply> {
    const { status, text } = await this.#exchange(method, path, timeoutMs, body).catch((cause: unknown) => {
      const reason =
        cause instanceof Error ? cause.message || (cause as { code?: string }).code : String(cause);
      throw new UnreachableError(
        'proxy_unreachable',
        `Cannot reach the proxy at ${this.address}: ${reason}`,
        {
          hint: 'Is the proxy running, and is this its control address?',
          facts: { control: this.address },
          cause,
        },
      );
    });
    if (status === 200) return JSON.parse(text) as Reply;
    throw this.#refusal(status, text);
  }

  close(): void {
    this.#agent.destroy();
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
      const request = http.request(
        {
          ...this.#target,
          agent: this.#agent,
          method,
          path,
          signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS + timeoutMs),
          headers:
            payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
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
