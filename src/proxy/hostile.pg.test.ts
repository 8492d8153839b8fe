/** Nonsense from either side, after the log-in: the session ends with a clear error, the proxy goes on, nothing is left. */

import net from 'node:net';
import fc from 'fast-check';
import type pg from 'pg';
import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { until } from '../base/async.ts';
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from '../wire/backend.ts';
import { cstring, frame, int32 } from '../wire/bytes.ts';
import { query } from '../wire/frontend.ts';

/** Zero bytes end strings, small numbers are counts and lengths: more telling than bytes of any value. */
const noise = fc
  .array(
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: 0, max: 255 })),
    {
      maxLength: 40,
    },
  )
  .map((bytes) => Buffer.from(bytes));
const framed = (types: string) =>
  fc.tuple(fc.constantFrom(...types), noise).map(([type, body]) => frame(type, body));
/** A length that does not belong to what follows. */
const misframed = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 3, 4, 5, 0x3fffffff, 0x40000000, -1), noise)
  .map(([type, length, body]) => Buffer.concat([Buffer.of(type), int32(length), body]));

/** The client's socket, for itself: node-postgres reads no more of it. */
function streamOf(client: pg.Client): net.Socket {
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  stream.removeAllListeners('data');
  return stream;
}

/** All that comes until the connection is closed. */
function rest(stream: net.Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  return new Promise((resolve) => stream.once('close', () => resolve(Buffer.concat(parts))));
}

async function nothingIsLeft(bed: ProxyBed, ...servers: Database[]): Promise<void> {
  const isOver = async () => {
    const left = await Promise.all(
      servers.map((server) =>
        server
          .rows(`SELECT 1 FROM pg_stat_activity WHERE usename = '${bed.role}'`)
          .then((rows) => rows.length),
      ),
    );
    const { sessions } = await bed.traffic.observe();
    return sessions === 0 && left.every((count) => count === 0) ? true : undefined;
  };
  await until('the end of all sessions', isOver, { timeoutMs: 10_000 });
}

test('a client that sends malformed messages, its types being translated', async ({ source, target }) => {
  await target.exec('CREATE TYPE before AS ENUM ()');
  for (const side of [source, target]) await side.exec("CREATE TYPE mood AS ENUM ('calm')");
  await using bed = await startProxyBed(source, target);
  const runs = 40;
  const clients = await Promise.all(Array.from({ length: runs }, () => bed.connect()));
  await bed.switchSides();
  await bed.traffic.prepare('source');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(framed('QPBDECSHFdcf'), misframed), { minLength: 1, maxLength: 8 }),
      async (messages) => {
        const client = clients.pop() ?? (await bed.connect());
        const stream = streamOf(client);
        const ended = rest(stream);
        stream.write(Buffer.concat(messages));
        stream.end(frame('X'));
        await ended;
      },
    ),
    { numRuns: runs, endOnFailure: true },
  );
  await Promise.all(clients.map((client) => client.end()));
  await nothingIsLeft(bed, source, target);
  const client = await bed.connect();
  expect((await client.query("SELECT 'calm'::mood AS m")).rows).toEqual([{ m: 'calm' }]);
  await client.end();
});

/** Lets everyone in, and answers what is sent to it after that with `answer`. */
async function withServer<T>(answer: () => Buffer, work: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      socket.write(
        Buffer.concat([
          authenticationOk(),
          parameterStatus('server_version', '15.0'),
          backendKeyData(1, Buffer.alloc(4)),
          readyForQuery(),
        ]),
      );
      socket.on('data', () => socket.write(answer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work((server.address() as net.AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const bedBefore = (source: Database, target: Database, port: number) =>
  startProxyBed(source, target, {
    servers: { source: { ...source.address, port, sslMode: 'disable' }, target: target.address },
  });

test('a server that sends anything at all', async ({ source, target }) => {
  let said: Buffer = Buffer.alloc(0);
  await withServer(
    () => said,
    async (port) => {
      await using bed = await bedBefore(source, target, port);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(framed('ZSTtDCEGNA1KR'), misframed, noise), { maxLength: 6 }),
          fc.boolean(),
          async (messages, isPreparing) => {
            said = Buffer.concat(messages);
            const client = await bed.connect();
            const stream = streamOf(client);
            const ended = rest(stream);
            stream.write(query('SELECT 1'));
            const preparing = isPreparing ? bed.traffic.prepare('target') : undefined;
            stream.end(frame('X'));
            await Promise.all([ended, preparing]);
          },
        ),
        { numRuns: 60, endOnFailure: true },
      );
      await nothingIsLeft(bed, target);
    },
  );
});

test.for([
  ['a length below four', Buffer.concat([Buffer.from('Z'), int32(3)])],
  ['a length of more than a gigabyte', Buffer.concat([Buffer.from('D'), int32(0x40000000)])],
  ['a ReadyForQuery without a status', frame('Z')],
  ['a ParameterStatus of a gigabyte', Buffer.concat([Buffer.from('S'), int32(0x3fffffff)])],
  ['a ParameterStatus that is cut short', frame('S', Buffer.from('name'))],
] as const)('a server that sends %s: the client reads 08P01', async ([, message], { source, target }) => {
  await withServer(
    () => message,
    async (port) => {
      await using bed = await bedBefore(source, target, port);
      const client = await bed.connect();
      await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '08P01', severity: 'FATAL' });
      await nothingIsLeft(bed, target);
    },
  );
});

test.for([
  ['a Parse without its text', frame('P', cstring('name'))],
  ['a statement name without an end', frame('P', Buffer.from('name'))],
  ['a length below four', Buffer.concat([Buffer.from('Q'), int32(0)])],
] as const)('a client that sends %s reads 08P01', async ([, message], { source, target }) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const stream = streamOf(client);
  const ended = rest(stream);
  stream.write(message);
  expect((await ended).toString('latin1')).toContain('C08P01');
  await nothingIsLeft(bed, source);
});

test('a statement of more than 16 MB passes, and only a prepared one keeps its session from moving', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const text = `SELECT length('${'x'.repeat(17 << 20)}') AS n`;
  await client.query('SELECT $1::int', [1]);
  // Its server does not have the unnamed statement any more; then the client makes another one.
  await bed.traffic.prepare('target');
  expect((await client.query(`${text} WHERE $1`, [true])).rows).toEqual([{ n: 17 << 20 }]);
  await client.query({ name: 'é', text: 'SELECT 1' });
  expect((await bed.traffic.prepare('target')).obstacles).toEqual([]);
  await client.query({ name: 'large', text });
  const [obstacle] = (await bed.traffic.prepare('target')).obstacles;
  expect(obstacle?.what).toContain('prepared statements of more than 16 MB: large');
  await client.query('DEALLOCATE large');
  await bed.switchSides();
  expect((await client.query({ name: 'é', text: 'SELECT 1' })).rowCount).toBe(1);
  await client.end();
});
