/** Clients that end their side of the connection and go on reading: they get what a server would give them, and go. */

import type net from 'node:net';
import pg from 'pg';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { selfSigned } from '../../test/support/self-signed.ts';
import { until } from '../base/async.ts';
import { cstring, frame, int16, int32 } from '../wire/bytes.ts';
import { query, sync } from '../wire/frontend.ts';

const PAUSE = { reason: 'test', leaseMs: 20_000, drainTimeoutMs: 5_000 };
const WAIT = { timeoutMs: 10_000 };

/** Says `words`, ends its side, and reads until the other side ends too. */
function lastWords(client: pg.Client, ...words: Buffer[]): Promise<Buffer> {
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  // That its server goes is what it asked for.
  client.on('error', () => undefined);
  stream.removeAllListeners('data');
  stream.allowHalfOpen = true;
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise<Buffer>((resolve) => {
    stream.once('end', () => {
      stream.destroy();
      resolve(Buffer.concat(parts));
    });
  });
  stream.end(Buffer.concat(words));
  return ended;
}

async function nothingIsLeft(bed: ProxyBed, ...servers: Database[]): Promise<void> {
  const isOver = async () => {
    const left = await Promise.all(
      servers.map((server) => server.rows(`SELECT FROM pg_stat_activity WHERE usename = '${bed.role}'`)),
    );
    const { sessions } = await bed.traffic.observe();
    return (sessions === 0 && left.flat().length === 0) || undefined;
  };
  await until('the end of all sessions', isOver, WAIT);
}

const parse = frame('P', cstring(''), cstring('SELECT 7'), int16(0));
const bind = frame('B', cstring(''), cstring(''), int16(0), int16(0), int16(0));
const execute = frame('E', cstring(''), int32(0));

describe('a client that ends its side', () => {
  test.for<[string, Buffer[]]>([
    ['of an idle connection', []],
    ['behind a query', [query("SELECT 'answer', pg_sleep(0.3)")]],
    ['behind several', [query('SELECT 1'), query('SELECT 2'), query('SELECT nothing'), query('SELECT 3')]],
    ['behind the extended protocol', [parse, bind, execute, sync()]],
    ['before its Sync', [parse, bind, execute, frame('H')]],
    ['in a transaction', [query('BEGIN'), query('SELECT 1')]],
    ['in the middle of COPY', [query('CREATE TEMP TABLE t (a int)'), query('COPY t FROM STDIN')]],
    ['in the middle of a message', [query('SELECT 1'), query('SELECT 2').subarray(0, 9)]],
    ['in the middle of a header', [query('SELECT 1'), query('SELECT 2').subarray(0, 3)]],
  ])('%s gets what the server itself answers, and is gone', async ([, words], { source, target }) => {
    await using bed = await startProxyBed(source, target);
    const { host, port } = source.address;
    const direct = new pg.Client({ ...bed.config, host, port });
    await direct.connect();
    const expected = await lastWords(direct, ...words);
    expect((await lastWords(await bed.connect(), ...words)).toString('latin1')).toBe(
      expected.toString('latin1'),
    );
    await nothingIsLeft(bed, source, target);
  });

  test('over TLS gets its answer, too', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const clientTls = await selfSigned(outer.folder, 'proxy');
    await using bed = await startProxyBed(source, target, { clientTls });
    const client = await bed.connect({ ssl: { rejectUnauthorized: false } });
    expect((await lastWords(client, query("SELECT 'answer', pg_sleep(0.3)"))).includes('answer')).toBe(true);
    await nothingIsLeft(bed, source, target);
  });

  test('while its request is held gets the answer of the new side', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const clients = [await bed.connect(), await bed.connect()];
    await bed.traffic.prepare('target');
    expect(await bed.traffic.pause(PAUSE)).toMatchObject({ drained: true });
    const answers = clients.map((client) => lastWords(client, query('SHOW server_version_num')));
    await bed.traffic.observe();
    await bed.traffic.committing('target', 1);
    const version = (await target.rows<{ server_version_num: string }>('SHOW server_version_num'))[0];
    await bed.traffic.resume('target', 1);
    for (const answer of await Promise.all(answers))
      expect(answer.includes(version?.server_version_num as string)).toBe(true);
    await nothingIsLeft(bed, source, target);
  });

  test('with nothing asked is gone while others are held', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.traffic.prepare('target');
    await bed.traffic.pause(PAUSE);
    await lastWords(client);
    await nothingIsLeft(bed, source, target);
    await bed.traffic.resume('source', 0);
  });

  test('while it is being answered is waited for by a switch, and not moved', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.traffic.prepare('target');
    const answer = lastWords(client, query("SELECT 'answer', pg_sleep(1)"));
    const sleeping = `SELECT FROM pg_stat_activity WHERE usename = '${bed.role}' AND wait_event = 'PgSleep'`;
    await until('the query', async () => (await source.rows(sleeping)).length > 0 || undefined, WAIT);
    expect((await bed.traffic.pause(PAUSE)).drained).toBe(true);
    expect((await bed.traffic.observe()).sessions).toBe(0);
    await bed.traffic.committing('target', 1);
    expect((await bed.traffic.resume('target', 1)).waits.sessionsMoved).toBe(0);
    expect((await answer).includes('answer')).toBe(true);
    await nothingIsLeft(bed, source, target);
  });
});

const SLEEPING = "SELECT pid FROM pg_stat_activity WHERE usename = '%' AND wait_event = 'PgSleep'";

/** Its system ends the connection; nothing reads what comes. */
async function crash(
  bed: ProxyBed,
  server: Database,
  words: readonly Buffer[],
  end: 'destroy' | 'resetAndDestroy' = 'destroy',
): Promise<void> {
  const client = await bed.connect();
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  stream.write(Buffer.concat(words));
  const sleeping = SLEEPING.replace('%', bed.role);
  await until('the query', async () => (await server.rows(sleeping)).length > 0 || undefined, WAIT);
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream[end]();
  await closed;
}

describe('a client that crashed', () => {
  test.for<[string, Buffer[]]>([
    ['a query', [query('SELECT pg_sleep(600)')]],
    ['a write', [query('INSERT INTO t SELECT 1 FROM pg_sleep(600)')]],
    ['a transaction', [query('BEGIN'), query('INSERT INTO t VALUES (1)'), query('SELECT pg_sleep(600)')]],
  ])(
    'is not waited for by a pause, and %s that it left running ends',
    async ([, words], { source, target }) => {
      for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
      await using bed = await startProxyBed(source, target);
      const other = await bed.connect();
      await crash(bed, source, words);
      await bed.traffic.prepare('target');
      expect(await bed.traffic.pause(PAUSE)).toEqual({ drained: true, obstacles: [] });
      await until(
        'the end of what it left',
        async () => (await source.rows(SLEEPING.replace('%', bed.role))).length === 0 || undefined,
        WAIT,
      );
      await bed.traffic.committing('target', 1);
      await bed.traffic.resume('target', 1);
      expect([await source.rows('SELECT FROM t'), await target.rows('SELECT FROM t')]).toEqual([[], []]);
      await other.end();
      await nothingIsLeft(bed, source, target);
    },
  );

  test('and was found out before the pause leaves nothing running either', async ({ source, target }) => {
    await source.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    const words = [query('BEGIN'), query('INSERT INTO t VALUES (1)'), query('SELECT pg_sleep(600)')];
    await crash(bed, source, words, 'resetAndDestroy');
    await until('its end', async () => (await bed.traffic.observe()).sessions === 0 || undefined, WAIT);
    expect(await source.rows(SLEEPING.replace('%', bed.role))).toHaveLength(1);
    await bed.traffic.pause(PAUSE);
    await nothingIsLeft(bed, source, target);
    await bed.traffic.resume('source', 0);
  });

  test('after it said goodbye is not waited for, and what it wrote is worked off', async ({
    source,
    target,
  }) => {
    for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    await crash(bed, source, [query('INSERT INTO t SELECT 1 FROM pg_sleep(1)'), frame('X')]);
    await bed.traffic.prepare('target');
    expect(await bed.traffic.pause(PAUSE)).toEqual({ drained: true, obstacles: [] });
    await until('the row', async () => (await source.rows('SELECT FROM t')).length === 1 || undefined, WAIT);
    await bed.traffic.resume('source', 0);
    await nothingIsLeft(bed, source, target);
  });
});

test('a client that comes in a pause, and ends its side before it is served, is gone', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  await bed.traffic.pause(PAUSE);
  const client = new pg.Client(bed.config);
  client.on('error', () => undefined);
  const connecting = client.connect().catch(() => undefined);
  await until('the log-in', async () => (await bed.traffic.observe()).sessions === 1 || undefined, WAIT);
  await lastWords(client);
  await nothingIsLeft(bed, source, target);
  await bed.traffic.resume('source', 0);
  await connecting;
});
