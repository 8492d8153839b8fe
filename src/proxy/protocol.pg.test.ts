/** The protocol's corners: log-in, cancel, COPY, large messages, slow readers, hostile bytes. */

import { execFile } from 'node:child_process';
import net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { rawConnection, ready, startProxyBed } from '../../test/support/proxy-bed.ts';
import { until, withDeadline } from '../base/async.ts';
import { frame } from '../wire/bytes.ts';
import { query, sslRequest, startupMessage } from '../wire/frontend.ts';

const run = promisify(execFile);

/** Sends bytes and returns all that comes back until the proxy closes. */
function talk(port: number, ...pieces: Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = net.connect(port, '127.0.0.1');
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error),
    );
    socket.on('close', () => resolve(Buffer.concat(parts)));
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

describe('logging in', () => {
  test('fails as at a server', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await expect(bed.connect({ password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
    await expect(bed.connect({ user: 'nobody' })).rejects.toMatchObject({ code: '28P01' });
    await expect(bed.connect({ database: 'nowhere' })).rejects.toMatchObject({ code: '3D000' });
    const client = await bed.connect({ options: '-c work_mem=7MB', application_name: 'me' });
    expect(
      (
        await client.query(
          "SELECT current_setting('work_mem') AS w, current_setting('application_name') AS a",
        )
      ).rows,
    ).toEqual([{ w: '7MB', a: 'me' }]);
    await client.end();
  });

  test('needs the same verifier on the other side, and prepare says so', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await target.exec(`ALTER ROLE "${bed.role}" PASSWORD 'another'`);
    const { failures } = await bed.traffic.prepare('target');
    expect(failures).toEqual([expect.stringContaining('SCRAM verifier is not the one there')]);
    await client.query('SELECT 1');
    await client.end();
  });

  test('hears what the server warns of', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await source.exec(`ALTER ROLE "${bed.role}" SET default_tablespace = 'nowhere'`);
    const client = new pg.Client(bed.config);
    const warned = new Promise<string | undefined>((resolve) =>
      client.once('notice', ({ message }) => resolve(message)),
    );
    await client.connect();
    expect(await withDeadline('the warning', 5_000, warned)).toContain(
      'invalid value for parameter "default_tablespace"',
    );
    await client.end();
  });

  test('refuses replication, other protocols and too many clients', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, { limits: { maxClients: 1 } });
    const { proxy } = bed;
    const replication = await talk(
      proxy.port,
      startupMessage(
        new Map([
          ['user', bed.role],
          ['replication', 'database'],
        ]),
      ),
    );
    expect(replication.toString()).toContain('Replication connections do not go through the proxy');
    const ancient = await talk(proxy.port, Buffer.from([0, 0, 0, 8, 0, 2, 0, 0]));
    expect(ancient.toString()).toContain('Unsupported frontend protocol 2.0');
    const cut = await talk(proxy.port, Buffer.from('\0\0\0\x0d\0\x03\0\0user\0', 'latin1'));
    expect(cut.toString()).toContain('C08P01');
    const client = await bed.connect();
    await expect(bed.connect()).rejects.toMatchObject({ code: '53300' });
    await client.end();
  });

  test('declines TLS and GSS encryption politely, and negotiates the protocol version down', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const gss = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);
    expect((await talk(bed.proxy.port, gss)).toString()).toBe('N');
    expect((await talk(bed.proxy.port, sslRequest())).toString()).toBe('N');
    const newer = startupMessage(
      new Map([
        ['user', bed.role],
        ['_pq_.unheard', 'of'],
      ]),
    );
    newer.writeInt32BE((3 << 16) | 9999, 4);
    const answer = await talk(bed.proxy.port, newer);
    expect(answer.subarray(0, 13)).toEqual(
      Buffer.from('v\x00\x00\x00\x19\x00\x03\x00\x02\x00\x00\x00\x01', 'latin1'),
    );
    expect(answer.toString()).toContain('_pq_.unheard');
    // Never more than the client asked for.
    newer.writeInt32BE(3 << 16, 4);
    expect((await talk(bed.proxy.port, newer)).readInt32BE(5)).toBe(3 << 16);
  });
});

test('a cancel request reaches the server that works, before and after a switch', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const cancelled = async () => {
    const sleeping = client.query('SELECT pg_sleep(30)');
    await until(
      'the query to run',
      async () => {
        const counts = await Promise.all(
          [source, target].map((side) =>
            side.rows(
              "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()",
            ),
          ),
        );
        return counts.flat().length > 0 ? true : undefined;
      },
      { timeoutMs: 5_000 },
    );
    const request = Buffer.alloc(16);
    for (const [index, value] of [16, 80877102, processID, secretKey].entries())
      request.writeInt32BE(value, index * 4);
    const answered = expect(sleeping).rejects.toMatchObject({ code: '57014' });
    await talk(bed.proxy.port, request);
    await answered;
  };
  await cancelled();
  await bed.switchSides();
  await cancelled();
  await client.end();
});

test('COPY both ways, through node-postgres and in the extended protocol, drains as one request', async ({
  source,
  target,
}) => {
  for (const side of [source, target]) await side.exec('CREATE TABLE t (a int, b text)');
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const rows = Array.from({ length: 20_000 }, (_, n) => `${n}\t${'x'.repeat(n % 100)}\n`);
  const into = client.query(copyFrom('COPY t FROM STDIN'));
  let pausing: ReturnType<typeof bed.traffic.pause> | undefined;
  async function* slowly() {
    for (const [n, row] of rows.entries()) {
      if (n === 10_000)
        pausing = bed.traffic.pause({ reason: 'test', leaseMs: 20_000, drainTimeoutMs: 10_000 });
      yield row;
    }
  }
  await pipeline(Readable.from(slowly()), into);
  expect((await pausing)?.drained).toBe(true);
  await bed.traffic.resume('target', 1);
  expect(await source.rows('SELECT count(*) AS n FROM t')).toEqual([{ n: 20_000 }]);
  await pipeline(Readable.from(rows), client.query(copyFrom('COPY t FROM STDIN')));
  let bytes = 0;
  for await (const part of client.query(copyTo('COPY t TO STDOUT')) as AsyncIterable<Buffer>)
    bytes += part.length;
  expect(bytes).toBe(rows.join('').length);
  await expect(
    pipeline(Readable.from(['not a number\tx\n']), client.query(copyFrom('COPY t FROM STDIN'))),
  ).rejects.toMatchObject({ code: '22P02' });
  await bed.switchSides();
  expect((await client.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 20_000 }]);

  const raw = rawConnection(client);
  const done = ready(raw);
  raw.parse({ text: 'COPY t FROM STDIN' });
  raw.bind({});
  raw.execute({});
  raw.sync();
  const stream = (raw as unknown as { stream: net.Socket }).stream;
  stream.write(Buffer.concat([frame('d', Buffer.from('1\textended\n')), frame('c'), frame('S')]));
  await done;
  const again = new Promise((resolve) => raw.once('dataRow', resolve));
  const prepared = ready(raw);
  raw.parse({ name: 'after', text: "SELECT 'after'" });
  raw.sync();
  await prepared;
  await bed.switchSides();
  raw.bind({ statement: 'after' });
  raw.execute({});
  raw.sync();
  expect(await again).toMatchObject({ fields: ['after'] });
  expect(await source.rows("SELECT a FROM t WHERE b = 'extended'")).toEqual([{ a: 1 }]);

  // The server ignores every Sync up to the end of the data, whatever began the COPY.
  const asked = new Promise<void>((resolve) => raw.once('copyInResponse', resolve));
  stream.cork();
  raw.parse({ text: 'COPY t FROM STDIN' });
  raw.bind({});
  raw.execute({});
  raw.sync();
  raw.sync();
  stream.uncork();
  await asked;
  const copied = ready(raw);
  stream.write(Buffer.concat([frame('d', Buffer.from('2\textended\n')), frame('c'), frame('S')]));
  await copied;
  await bed.switchSides();
  const askedAgain = new Promise<void>((resolve) => raw.once('copyInResponse', resolve));
  stream.write(Buffer.concat([query('COPY t FROM STDIN'), frame('S')]));
  await askedAgain;
  const copiedAgain = ready(raw);
  stream.write(Buffer.concat([frame('d', Buffer.from('3\tsimple\n')), frame('c')]));
  await copiedAgain;
  await bed.switchSides();
  await client.end();
});

test('large messages pass without being held in memory', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const before = process.memoryUsage().rss;
  const { rows } = await client.query(
    "SELECT length(repeat('x', 100000000)) AS n, md5(repeat('x', 1000)) AS m",
  );
  expect(rows[0]).toMatchObject({ n: 100_000_000 });
  // psql reads the answer in a process of its own, so that what grows here is the proxy.
  const { stdout } = await run('sh', ['-c', `psql -X -A -t -c "SELECT repeat('x', 200000000)" | wc -c`], {
    env: {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(bed.proxy.port),
      PGUSER: bed.role,
      PGPASSWORD: bed.password,
      PGDATABASE: bed.database,
    },
  });
  expect(Number(stdout)).toBe(200_000_001);
  expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
  const text = 'y'.repeat(30_000_000);
  expect((await client.query('SELECT length($1) AS n', [text])).rows).toEqual([{ n: text.length }]);
  await client.end();
});

test('a client that does not read stops its server, not the proxy', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const [slow, quick] = [await bed.connect(), await bed.connect()];
  const { stream } = (slow as unknown as { connection: { stream: net.Socket } }).connection;
  const before = process.memoryUsage();
  const large = slow.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)");
  stream.pause();
  await untilServerWaits(source);
  expect(process.memoryUsage().external - before.external).toBeLessThan(50_000_000);
  expect((await quick.query('SELECT 1 AS v')).rows).toEqual([{ v: 1 }]);
  stream.resume();
  expect((await large).rowCount).toBe(200_000);
  await Promise.all([slow.end(), quick.end()]);
});

test('what waits for a client that reads slowly is not written over by what comes next', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  // Each row is read for itself, and is too small to stop the server alone.
  const answer = client.query<{ n: string; text: string }>(
    "SELECT n::text, repeat(n || ' ', 1000) AS text, pg_sleep(0.0001) FROM generate_series(100000, 105000) n",
  );
  stream.pause();
  await untilServerWaits(source);
  stream.resume();
  const { rows } = await answer;
  expect(rows.filter(({ n, text }) => text !== `${n} `.repeat(1000)).map(({ n }) => n)).toEqual([]);
  expect(rows.map(({ n }) => Number(n))).toEqual(Array.from({ length: 5001 }, (_, row) => 100_000 + row));
  await client.end();
});

async function untilServerWaits(source: Database): Promise<void> {
  await until(
    'the server to wait for its client',
    async () => {
      const rows = await source.rows(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND datname = current_database()",
      );
      return rows.length > 0 ? true : undefined;
    },
    { timeoutMs: 30_000 },
  );
}

/** The client's socket, for itself. */
function streamOf(client: pg.Client): net.Socket {
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  stream.removeAllListeners('data');
  return stream;
}

test('a client that only writes, and is not read from, ends with its server', async ({ source, target }) => {
  await source.exec(`CREATE TABLE t (x text);
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1000); RETURN new; END';
    CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()`);
  await using bed = await startProxyBed(source, target);
  const client = await bed.connect();
  const { processID } = client as unknown as { processID: number };
  const stream = streamOf(client);
  // Like a program that blocks in its write: it reads nothing, and does not close.
  stream.allowHalfOpen = true;
  stream.removeAllListeners('end');
  stream.removeAllListeners('close');
  stream.resume();
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.write(query('COPY t FROM STDIN'));
  const row = frame('d', Buffer.from(`${'x'.repeat(65_000)}\n`));
  for (let count = 0; count < 600; count++) stream.write(row);
  await until(
    'the trigger',
    async () =>
      (await source.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length > 0 ||
      undefined,
    { timeoutMs: 10_000 },
  );
  let left = -1;
  await until(
    'the writer to get stuck',
    async () => {
      const before = left;
      left = stream.writableLength;
      return left > 0 && left === before ? true : undefined;
    },
    { timeoutMs: 10_000, intervalMs: 300 },
  );
  await source.exec(`SELECT pg_terminate_backend(${processID})`);
  // It is told by its next write.
  const writing = setInterval(() => stream.write(row), 100);
  await withDeadline('the end of the connection', 20_000, closed).finally(() => clearInterval(writing));
});

test('an error of the proxy’s own never comes in the middle of a row', async ({ source, target }) => {
  const bed = await startProxyBed(source, target);
  const stream = streamOf(await bed.connect());
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.write(query("COPY (SELECT repeat('x', 10000000) FROM generate_series(1, 5)) TO STDOUT"));
  await new Promise<void>((resolve) => stream.once('data', () => resolve()));
  stream.pause();
  await until(
    'the server to wait for its client',
    async () =>
      (await source.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'")).length > 0 ||
      undefined,
    { timeoutMs: 10_000 },
  );
  const closing = bed[Symbol.asyncDispose]();
  stream.resume();
  await closing;
  await closed;
  expect(Buffer.concat(parts).includes('terminating connection')).toBe(false);
});

test('hostile bytes end in a clear error or a closed connection, and leave nothing behind', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target, { limits: { startupTimeoutMs: 300 } });
  const startup = startupMessage(
    new Map([
      ['user', bed.role],
      ['database', bed.database],
    ]),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }),
      async (greet, noise) => {
        await talk(bed.proxy.port, ...(greet ? [startup] : []), ...noise.map((bytes) => Buffer.from(bytes)));
      },
    ),
    { numRuns: 150 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 5, maxLength: 80 }), async (noise) => {
      const client = new pg.Client(bed.config);
      client.on('error', () => undefined);
      await client.connect();
      const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
      const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
      stream.write(Buffer.from(noise));
      stream.end(frame('X'));
      stream.resume();
      await closed;
    }),
    { numRuns: 40 },
  );
  await until(
    'the end of all sessions',
    async () => ((await bed.traffic.observe()).sessions === 0 ? true : undefined),
    { timeoutMs: 5_000 },
  );
  const client = await bed.connect();
  await bed.switchSides();
  await client.end();
});

test('a server that talks nonsense ends the session with a clear error', async ({ source, target }) => {
  const nonsense = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((resolve) => nonsense.listen(0, '127.0.0.1', resolve));
  const { port } = nonsense.address() as net.AddressInfo;
  await using bed = await startProxyBed(source, target, {
    servers: { source: { ...source.address, port }, target: target.address },
  });
  await expect(bed.connect()).rejects.toMatchObject({ code: '08006' });
  await new Promise((resolve) => nonsense.close(resolve));
});
