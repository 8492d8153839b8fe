/** Messages that hardly any driver sends, or in an order of its own; most of these were found by `npm run test:fuzz`. */

import { describe, expect } from 'vitest';
import { RawClient } from '../../test/fuzz/raw-client.ts';
import { encode, type Message } from '../../test/fuzz/script.ts';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { until } from '../base/async.ts';
import { readDataRow, readError } from '../wire/backend.ts';
import { B } from '../wire/message-type.ts';

const NAMES = { oids: new Map<string, number>(), plainRole: '', own: '' };
const SYNC: Message = { is: 'Sync' };
const query = (text: string): Message => ({ is: 'Query', text });
const parse = (name: string, text: string): Message => ({ is: 'Parse', name, text, types: [] });
const run = (statement: string): Message[] => [
  { is: 'Bind', portal: '', statement, formats: [], values: [], results: [] },
  { is: 'Execute', portal: '', rows: 0 },
];

async function connect(bed: ProxyBed): Promise<RawClient> {
  const { host = '', port = 0 } = bed.config;
  return await RawClient.connect({
    host,
    port,
    user: bed.role,
    password: bed.password,
    database: bed.database,
  });
}

const bytesOf = (messages: readonly Message[]): Buffer =>
  Buffer.concat(messages.map((message) => encode(message, NAMES)));

/** Rows and SQLSTATEs of the answer, up to so many ReadyForQuery. */
async function answer(client: RawClient, messages: readonly Message[], points = 1): Promise<unknown[]> {
  const from = client.received.length;
  const since = () => client.received.slice(from);
  await client.send(bytesOf(messages));
  const isAnswered = () => since().filter(({ type }) => type === B.readyForQuery).length >= points;
  await client.until('the answer', () => client.isClosed || isAnswered(), 10_000);
  return since().flatMap(({ type, body }) => {
    if (type === B.dataRow) return [readDataRow(body).join()];
    return type === B.errorResponse ? [readError(body).code] : [];
  });
}

describe('a session that is moved', () => {
  test('keeps a setting of its own making that a FunctionCall made', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    const SET_CONFIG = 2078;
    const values = ['app.tenant', 'seven', 'f'];
    expect(await answer(client, [{ is: 'FunctionCall', oid: SET_CONFIG, values }])).toEqual([]);
    await bed.switchSides();
    expect(await answer(client, [query("SELECT current_setting('app.tenant', true)")])).toEqual(['seven']);
    await client.end();
  });

  test('keeps a setting that a statement made whose name was another one’s before', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [
      parse('s', 'SELECT $1'),
      { is: 'Close', what: 'S', name: 's' },
      parse('s', "SELECT set_config($1, 'seven', false)"),
      { is: 'Bind', portal: '', statement: 's', formats: [], values: ['app.tenant'], results: [] },
      { is: 'Execute', portal: '', rows: 0 },
      SYNC,
    ]);
    await bed.switchSides();
    expect(await answer(client, [query("SELECT current_setting('app.tenant', true)")])).toEqual(['seven']);
    await client.end();
  });

  test('keeps what its unnamed statement left behind when another one was passed over', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [parse('', "SELECT set_config('work_mem', '6MB', false)"), SYNC]);
    await bed.traffic.prepare('target');
    await answer(client, [{ is: 'Describe', what: 'S', name: 'nobody' }, parse('', 'SELECT 6'), SYNC]);
    expect(await answer(client, [...run(''), SYNC])).toEqual(['6MB']);
    await bed.switchSides();
    expect(await answer(client, [query('SHOW work_mem')])).toEqual(['6MB']);
    await client.end();
  });

  test('has no unnamed statement where the client has none', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [query("SET work_mem = '6MB'")]);
    await bed.switchSides();
    expect(await answer(client, [{ is: 'Describe', what: 'S', name: '' }, SYNC])).toEqual(['26000']);
    await client.end();
  });

  test('has lost its unnamed statement where the client closed it', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [parse('', 'SELECT 5'), SYNC]);
    await answer(client, [{ is: 'Close', what: 'S', name: '' }, SYNC]);
    expect(await answer(client, [...run(''), SYNC])).toEqual(['26000']);
    await bed.switchSides();
    expect(await answer(client, [...run(''), SYNC])).toEqual(['26000']);
    await client.end();
  });

  test('keeps the unnamed statement that it had before one that was passed over after an error', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [parse('', 'SELECT 5'), SYNC]);
    const passedOver: Message[] = [
      { is: 'Describe', what: 'S', name: 'nobody' },
      parse('', 'SELECT 6'),
      query('SELECT 7'),
    ];
    expect(await answer(client, [...passedOver, SYNC])).toEqual(['26000']);
    await bed.switchSides();
    expect(await answer(client, [...run(''), SYNC])).toEqual(['5']);
    await client.end();
  });

  test('keeps its unnamed statement where the next request begins with another one', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [parse('', 'SELECT 5'), SYNC]);
    await bed.switchSides();
    expect(await answer(client, [parse('named', 'SELECT 6'), ...run(''), SYNC])).toEqual(['5']);
    await client.end();
  });

  test('keeps statements that were parsed behind one another, with a name and without', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [
      parse('', 'SELECT 5'),
      parse('one', 'SELECT 6'),
      parse('', 'SELECT 7'),
      parse('two', 'SELECT 8'),
      SYNC,
    ]);
    await bed.switchSides();
    expect(await answer(client, [...run(''), ...run('one'), ...run('two'), SYNC])).toEqual(['7', '6', '8']);
    await client.end();
  });

  test('keeps a statement that was parsed behind a COPY which ignored a Sync', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await source.exec('CREATE TABLE w (v int)');
    const client = await connect(bed);
    const copy = [parse('', 'COPY w FROM STDIN'), ...run(''), SYNC];
    await answer(client, [...copy, { is: 'CopyDone' }, parse('named', 'SELECT 5'), SYNC]);
    expect((await bed.switchSides()).waits.sessionsMoved).toBe(1);
    expect(await answer(client, [...run('named'), SYNC])).toEqual(['5']);
    await client.end();
  });

  test('is prepared also where reading the functions takes longer than its statement_timeout', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    // Its text takes seconds to search.
    await target.exec(`DO $do$BEGIN EXECUTE format('CREATE FUNCTION long() RETURNS int LANGUAGE sql AS $$SELECT 1 --%s$$',
      repeat('set_config(''a.b'')', 30000)); END$do$`);
    const client = await connect(bed);
    await answer(client, [query("SET statement_timeout = '400ms'")]);
    await bed.traffic.prepare('target');
    // The second time the standby has the setting.
    expect((await bed.traffic.prepare('target')).failures).toEqual([]);
    await client.end();
  });

  test('knows the name of a setting that it had in a transaction only, or has reset', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [query("BEGIN; SET LOCAL app.tenant = 'seven'; COMMIT; RESET app.other")]);
    const settings = [query("SELECT current_setting('app.tenant'), current_setting('app.other')")];
    expect(await answer(client, settings)).toEqual([',']);
    await answer(client, [parse('late', "SET LOCAL app.late = 'eight'"), SYNC]);
    await bed.traffic.prepare('target');
    await answer(client, [query('BEGIN'), ...run('late'), SYNC, query('COMMIT')], 3);
    await bed.switchSides();
    expect(await answer(client, settings)).toEqual([',']);
    expect(await answer(client, [query("SELECT current_setting('app.late')")])).toEqual(['']);
    await client.end();
  });

  test('may be prepared again when its strings have backslashes in them', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await connect(bed);
    await answer(client, [query('SET standard_conforming_strings = off')]);
    await bed.traffic.prepare('target');
    expect((await bed.traffic.prepare('target')).failures).toEqual([]);
    expect((await bed.switchSides()).waits.sessionsMoved).toBe(1);
    expect(await answer(client, [query("SELECT 'a\\\\b'")])).toEqual(['a\\b']);
    await client.end();
  });
});

/** The first is that of the log-in. */
const readies = (client: RawClient): number =>
  client.received.filter(({ type }) => type === B.readyForQuery).length;

const PAUSE = { reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 };
const ENDED_COPY: Message[] = [{ is: 'CopyData', text: '1\n' }, { is: 'CopyDone' }];

test.for([
  ['extended', [parse('', 'COPY w FROM STDIN'), ...run(''), SYNC], [...ENDED_COPY, SYNC]],
  ['simple', [query('COPY w FROM STDIN')], [SYNC, ...ENDED_COPY]],
] as const)(
  'a pause does not hold a Sync that the server waits for behind, or reads away within, a COPY: %s',
  async ([, copy, data], { source, target }) => {
    await using bed = await startProxyBed(source, target);
    await source.exec('CREATE TABLE w (v int)');
    const client = await connect(bed);
    const locking = await openSession(source.address);
    await locking.query('BEGIN; LOCK TABLE w');
    await client.send(bytesOf(copy));
    const waiting = `SELECT FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database() WHERE NOT granted`;
    await expect.poll(() => source.rows(waiting)).toHaveLength(1);
    const pausing = bed.traffic.pause(PAUSE);
    await expect.poll(async () => (await bed.traffic.observe()).paused).toBe(true);
    // Before the server asks for them.
    await client.send(bytesOf(data));
    await locking.end();
    expect((await pausing).obstacles).toEqual([]);
    await bed.traffic.resume('source', 0);
    await client.until('the end of the COPY', () => readies(client) === 2, 5_000);
    expect(await answer(client, [query('SELECT v FROM w')])).toEqual(['1']);
    await client.end();
  },
);

test('a cancelled request that was held ends where a server would end it, at its Sync', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const client = await connect(bed);
  await bed.traffic.pause(PAUSE);
  await client.send(bytesOf([parse('', 'SELECT 5'), query('SELECT 6'), SYNC]));
  const isCancelled = async () => {
    await client.cancel(true);
    return client.received.find(({ type }) => type === B.errorResponse);
  };
  await until('the error', isCancelled, { timeoutMs: 5_000 });
  await client.until('its end', () => readies(client) === 2, 5_000);
  await bed.traffic.resume('source', 0);
  expect(await answer(client, [query('SELECT 7')])).toEqual(['7']);
  expect(readies(client)).toBe(3);
  await client.end();
});
