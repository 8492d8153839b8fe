/**
 * As much HTTP/1.1 as a load generator needs, at a third of node:http's cost: the generator shares its processors
 * with what it measures. One request at a time on each connection, answers with a Content-Length, nothing repeated.
 */

import { connect, type Socket } from 'node:net';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Sent as Idempotency-Key. */
  readonly requestId: string | undefined;
  readonly body: string | undefined;
}

/** A connection that nobody used for so long is closed: by the client, which knows that no request is on its way. */
const IDLE_MS = 1_000;

/** Status 0: no answer, and `error` says why. */
export type OnAnswer = (status: number, body: string, error?: string) => void;

export class HttpClient {
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  /** Last used, first taken: the sockets that the rate does not need stay cold, the coldest in front. */
  readonly #idle: HttpConnection[] = [];
  readonly #all = new Set<HttpConnection>();
  readonly #expiring: NodeJS.Timeout;

  constructor(url: URL, timeoutMs: number) {
    this.#host = url.hostname;
    this.#port = Number(url.port || 80);
    this.#timeoutMs = timeoutMs;
    this.#expiring = setInterval(() => this.#expire(), 250);
  }

  send(request: HttpRequest, onAnswer: OnAnswer): void {
    const connection = this.#idle.pop() ?? this.#connect();
    connection.send(this.#head(request), performance.now() + this.#timeoutMs, (status, body, error) => {
      if (connection.isOpen) this.#idle.push(connection);
      onAnswer(status, body, error);
    });
  }

  close(): void {
    clearInterval(this.#expiring);
    for (const connection of this.#all) connection.fail('closed');
  }

  #connect(): HttpConnection {
    const connection = new HttpConnection(
      connect({ host: this.#host, port: this.#port, noDelay: true }),
      () => {
        this.#all.delete(connection);
        const place = this.#idle.indexOf(connection);
        if (place >= 0) this.#idle.splice(place, 1);
      },
    );
    this.#all.add(connection);
    return connection;
  }

  #head({ method, path, requestId, body }: HttpRequest): string {
    const start = `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}:${this.#port}\r\n`;
    if (body === undefined) return `${start}\r\n`;
    return `${start}Idempotency-Key: ${requestId}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  #expire(): void {
    const now = performance.now();
    for (const connection of this.#all) if (connection.deadline < now) connection.fail('timeout');
    while ((this.#idle[0]?.idleSince ?? now) + IDLE_MS < now) this.#idle.shift()?.close();
  }
}

const END_OF_HEAD = '\r\n\r\n';

class HttpConnection {
  /** On performance.now()'s clock; never while idle. */
  deadline = Number.POSITIVE_INFINITY;
  /** On performance.now()'s clock; means something only while idle. */
  idleSince = 0;
  readonly #socket: Socket;
  #onAnswer: OnAnswer | undefined;
  #received: Buffer | undefined;

  constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#data(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(error.code ?? error.message));
    socket.on('close', () => {
      this.fail('connection closed');
      onClose();
    });
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  send(text: string, deadline: number, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer;
    this.deadline = deadline;
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }

  fail(reason: string): void {
    this.close();
    this.#answer(0, '', reason);
  }

  #data(chunk: Buffer): void {
    const received = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = received.indexOf(END_OF_HEAD);
    if (headEnd < 0) {
      this.#received = received;
      return;
    }
    const head = received.toString('latin1', 0, headEnd);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length === undefined) {
      this.fail('answer without Content-Length');
      return;
    }
    const bodyStart = headEnd + END_OF_HEAD.length;
    const end = bodyStart + Number(length);
    if (received.length < end) {
      this.#received = received;
      return;
    }
    this.#received = undefined;
    // The server is about to close it: the next request must not meet that.
    if (/^connection: *close/im.test(head)) this.#socket.destroy();
    this.#answer(Number(head.slice(9, 12)), received.toString('utf8', bodyStart, end));
  }

  #answer(status: number, body: string, error?: string): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    this.deadline = Number.POSITIVE_INFINITY;
    this.idleSince = performance.now();
    onAnswer?.(status, body, error);
  }
}
