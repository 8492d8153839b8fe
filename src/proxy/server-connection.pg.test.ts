import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { readDataRow, readyForQuery } from '../wire/backend.ts';
import { bind, execute, parse, query, sync } from '../wire/frontend.ts';
import { IDLE_RECEIVER, ServerConnection } from './server-connection.ts';

const openSource = (bed: ProxyBed, source: Database): Promise<ServerConnection> =>
  ServerConnection.open({
    side: 'source',
    address: source.address,
    parameters: new Map([
      ['user', bed.role],
      ['database', source.name],
    ]),
    credential: { password: bed.password },
    timeoutMs: 5_000,
  });

test('a question is answered although its session moves on meanwhile, and the session hears no more', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const connection = await openSource(bed, source);
  const heard: string[] = [];
  connection.attach({
    data: (chunk) => heard.push(chunk.toString('latin1')) > 0,
    drain: () => undefined,
    closed: () => heard.push('closed'),
  });
  const holder = await openSession(source.address);
  await holder.query('SELECT pg_advisory_lock(7)');
  const asked = connection.ask(query('SELECT pg_advisory_lock(7)'), 1, 10_000);
  await expect
    .poll(() => source.rows(`SELECT FROM pg_locks WHERE pid = ${connection.pid} AND NOT granted`))
    .toHaveLength(1);
  connection.detach();
  await holder.end();
  expect(await asked).toMatchObject([{ rows: [expect.anything()], error: undefined }]);
  const ended = connection.untilClosed();
  await source.exec(`SELECT pg_terminate_backend(${connection.pid})`);
  await ended;
  expect(heard).toEqual([]);
});

test('a question that a cancel request hits is asked again', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const connection = await openSource(bed, source);
  const holder = await openSession(source.address);
  await holder.query('SELECT pg_advisory_lock(7)');
  const rows = connection.rowsOf(query('SELECT 1 FROM pg_advisory_lock(7)'), 10_000);
  rows.catch(() => undefined);
  await expect
    .poll(() => source.rows(`SELECT FROM pg_locks WHERE pid = ${connection.pid} AND NOT granted`))
    .toHaveLength(1);
  await connection.cancel(5_000);
  await holder.end();
  expect(await rows).toEqual([['1']]);
  connection.close();
  await connection.untilClosed();
});

test('a question is not left waiting behind one that the server does not answer', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const connection = await openSource(bed, source);
  connection.attach(IDLE_RECEIVER);
  const holder = await openSession(source.address);
  await holder.query('SELECT pg_advisory_lock(7)');
  const first = connection.ask(query('SELECT pg_advisory_lock(7)'), 1, 50);
  const second = connection.ask(query('SELECT 1'), 1, 60_000);
  await expect(first).rejects.toThrow('No answer within 50 ms');
  await expect(second).rejects.toThrow('owes the answer');
  await holder.end();
  await connection.untilQuiet();
  expect(await connection.rowsOf(query('SELECT 2'), 5_000)).toEqual([['2']]);
  connection.close();
  await connection.untilClosed();
});

test('whoever is attached to a connection that has ended is told so', async ({ source, target }) => {
  await using bed = await startProxyBed(source, target);
  const connection = await openSource(bed, source);
  const ended = connection.untilClosed();
  await source.exec(`SELECT pg_terminate_backend(${connection.pid})`);
  await ended;
  await new Promise<void>((resolve) => {
    connection.attach({ ...IDLE_RECEIVER, closed: resolve });
  });
  expect(connection.isClosed).toBe(true);
});

test.for([0, 1])(
  'an answer that the session may still get, and gets %d times, is not taken for ours',
  async (times, { source, target }) => {
    await using bed = await startProxyBed(source, target);
    const connection = await openSource(bed, source);
    const heard: Buffer[] = [];
    connection.attach({
      data: (chunk) => {
        heard.push(chunk);
        return false;
      },
      drain: () => undefined,
      closed: () => undefined,
    });
    for (let time = 0; time < times; time++) connection.socket.write(sync());
    connection.uncertain = 1;
    const refused = Buffer.concat([bind('unheard-of', []), execute(), sync()]);
    const question = Buffer.concat([parse('', 'SELECT 7'), bind('', []), execute(), sync()]);
    const answers = await connection.ask(Buffer.concat([refused, question]), 2, 5_000);
    expect(answers.map(({ rows, error }) => error?.code ?? rows.map(readDataRow))).toEqual([
      '26000',
      [['7']],
    ]);
    expect(Buffer.concat(heard)).toEqual(Buffer.concat(Array.from({ length: times }, () => readyForQuery())));
    connection.close();
  },
);
