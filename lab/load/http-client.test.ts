import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpClient } from './http-client.ts';

async function listening<T extends Server>(server: T): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function clientOf(url: URL, timeoutMs = 10_000): HttpClient {
  const client = new HttpClient(url, timeoutMs);
  onTestFinished(() => client.close());
  return client;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly error: string | undefined;
}

const ask = (client: HttpClient, body?: string): Promise<Answer> =>
  new Promise((resolve) =>
    client.send(
      { method: body === undefined ? 'GET' : 'POST', path: '/x', requestId: 'id-1', body },
      (status, text, error) => resolve({ status, body: text, error }),
    ),
  );

/** A server that says exactly these bytes to each request. */
const saying = (speak: (socket: Socket) => void) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => speak(socket));
  });
  return listening(server);
};

describe('the load’s HTTP client', () => {
  test('talks to node:http, and keeps its connections', async () => {
    const ports = new Set<number | undefined>();
    const server = createHttpServer((request, response) => {
      ports.add(request.socket.remotePort);
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const text = JSON.stringify([request.method, request.url, request.headers['idempotency-key'], body]);
        response.writeHead(201, { 'content-length': Buffer.byteLength(text) }).end(text);
      });
    });
    const client = clientOf(await listening(server));
    expect(await ask(client, '{"ä":1}')).toMatchObject({
      status: 201,
      body: '["POST","/x","id-1","{\\"ä\\":1}"]',
    });
    expect(await ask(client)).toMatchObject({ status: 201, body: '["GET","/x",null,""]' });
    expect(ports.size).toBe(1);
    await Promise.all([ask(client), ask(client), ask(client)]);
    expect(ports.size).toBe(3);
  });

  test('closes a connection that nobody uses: a server that stops must never have to', async () => {
    const ports = new Set<number | undefined>();
    let closed: Promise<unknown> | undefined;
    const url = await saying((socket) => {
      ports.add(socket.remotePort);
      closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const client = clientOf(url);
    await ask(client);
    await closed;
    expect((await ask(client)).status).toBe(200);
    expect(ports.size).toBe(2);
  });

  test('puts together an answer that comes in pieces', async () => {
    const pieces = ['HTTP/1.1 200 OK\r\nConte', 'nt-Length: 5\r\n\r', '\nhe', 'llo'];
    const url = await saying((socket) => {
      const next = (index: number) => {
        if (index < pieces.length) socket.write(pieces[index] ?? '', () => setImmediate(next, index + 1));
      };
      next(0);
    });
    const client = clientOf(url);
    expect(await ask(client)).toMatchObject({ status: 200, body: 'hello' });
    expect(await ask(client)).toMatchObject({ status: 200, body: 'hello' });
  });

  test('opens another connection when the server closes one', async () => {
    const url = await saying((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
    );
    const client = clientOf(url);
    expect((await ask(client)).status).toBe(200);
    expect((await ask(client)).status).toBe(200);
  });

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['closes without an answer', (socket) => socket.end(), /closed/],
    [
      'closes in the middle of one',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel'),
      /closed/,
    ],
    ['resets the connection', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
    ['gives no length', (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhello'), /Content-Length/],
  ])('fails a request, once, when the server %s', async (_, speak, reason) => {
    const client = clientOf(await saying(speak));
    const answer = await ask(client);
    expect(answer.status).toBe(0);
    expect(answer.error).toMatch(reason);
  });

  test('fails a request that is not answered in time', async () => {
    const client = clientOf(await saying(() => undefined), 10);
    expect(await ask(client)).toMatchObject({ status: 0, error: 'timeout' });
  });

  test('fails a request when nobody listens', async () => {
    const server = createServer();
    const url = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await ask(clientOf(url))).toMatchObject({ status: 0, error: 'ECONNREFUSED' });
  });
});
