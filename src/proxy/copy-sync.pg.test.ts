/** COPY and what is sent around it: the server ignores Syncs within the data, and answers those behind a failure. */

import type net from 'node:net';
import pg from 'pg';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { frame, int16, int32 } from '../wire/bytes.ts';
import { bind, execute, parse, query, sync } from '../wire/frontend.ts';
import { MessageReader } from '../wire/message-reader.ts';

const copy = (table: string) =>
  Buffer.concat([parse('', `COPY ${table} FROM STDIN`), bind('', []), execute()]);
const data = (text: string) => frame('d', Buffer.from(text));
const done = frame('c');
const fail = frame('f', Buffer.from('enough\0'));
const flush = frame('H');
/** int4pl(2, 4), in text. */
const call = frame(
  'F',
  ...[int32(177), int16(0), int16(2), int32(1), Buffer.from('2'), int32(1), Buffer.from('4'), int16(0)],
);

/** What is sent at once, and which messages of the server have come by then. */
type Story = readonly (readonly [readonly Buffer[], string])[];

const STORIES: readonly [string, Story][] = [
  ['fails before its data, and its Sync is answered', [[[copy('refusing'), sync()], 'Z']]],
  [
    'fails before its data, and so is the Sync behind them',
    [
      [[copy('refusing'), sync()], 'G'],
      [[data('1\n'), done, sync()], 'ZZ'],
    ],
  ],
  [
    'fails before its data that come at once',
    [[[copy('refusing'), sync(), data('1\n'), done, sync()], 'ZZ']],
  ],
  ['fails at its data', [[[copy('t'), sync(), data('x\n'), done, sync()], 'Z']]],
  [
    'fails at its data, and a Sync crosses its error',
    [
      [[copy('t'), flush], 'G'],
      [[data('x\n'), sync()], 'Z'],
    ],
  ],
  [
    'fails at its data, and two Syncs cross its error',
    [
      [[copy('t'), flush], 'G'],
      [[data('x\n'), sync(), sync(), done, sync()], 'ZZZ'],
    ],
  ],
  [
    'is given up by the client behind a Sync',
    [
      [[copy('t'), sync()], 'G'],
      [[data('1\n'), sync(), fail, sync()], 'Z'],
    ],
  ],
  [
    'of the simple protocol fails, and a Sync crosses its error',
    [
      [[query('COPY t FROM STDIN')], 'G'],
      [[data('x\n'), sync(), done], 'ZZ'],
    ],
  ],
  [
    'of the simple protocol ignores a Sync, fails, and is followed by a FunctionCall',
    [
      [[query('COPY t FROM STDIN')], 'G'],
      [[data('x'), sync(), data('\n'), done], 'Z'],
      [[call], 'ZZ'],
    ],
  ],
  [
    'of the simple protocol is followed by a Query',
    [[[query('COPY t FROM STDIN'), data('1\n'), done, query('SELECT 1')], 'ZZ']],
  ],
  [
    'of the simple protocol fails, and is followed by a Query',
    [[[query('COPY t FROM STDIN'), data('x\n'), done, query('SELECT 1')], 'ZZ']],
  ],
  [
    'of the simple protocol fails before its data, and is followed by a Query',
    [[[query('COPY refusing FROM STDIN'), data('1\n'), done, query('SELECT 1')], 'ZZ']],
  ],
  [
    'of no table is followed by a Query',
    [[[query('COPY nothing FROM STDIN'), data('1\n'), done, query('SELECT 1')], 'ZZ']],
  ],
  [
    'is one of two of a Query, and another follows',
    [
      [
        [
          query('COPY t FROM STDIN; COPY t FROM STDIN'),
          data('1\n'),
          done,
          data('2\n'),
          done,
          query('SELECT 1'),
        ],
        'ZZ',
      ],
    ],
  ],
  [
    'is one of two of a Query, the first of which fails',
    [
      [
        [
          query('COPY t FROM STDIN; COPY t FROM STDIN'),
          data('x\n'),
          done,
          data('2\n'),
          done,
          query('SELECT 1'),
        ],
        'ZZ',
      ],
    ],
  ],
];

/** Tells the story to a server, and reads what it says up to the answer to a last query. */
async function tell(client: pg.Client, story: Story): Promise<string> {
  const { stream } = (client as unknown as { connection: { stream: net.Socket } }).connection;
  stream.removeAllListeners('data');
  const reader = new MessageReader();
  const said: Buffer[] = [];
  let types = '';
  let heard: () => void = () => undefined;
  stream.on('data', (chunk: Buffer) => {
    said.push(chunk);
    for (const { type } of reader.push(chunk)) types += String.fromCharCode(type);
    heard();
  });
  const hear = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if ([...types].filter((type) => type === wanted[0]).length >= wanted.length) resolve();
      };
      heard = look;
      look();
    });
  for (const [words, wanted] of story) {
    stream.write(Buffer.concat(words));
    await hear(wanted);
  }
  return Buffer.concat(said).toString('latin1');
}

async function prepareTables(...sides: Database[]): Promise<void> {
  for (const side of sides)
    await side.exec(`CREATE TABLE t (a int);
      CREATE TABLE refusing (a int);
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
      CREATE TRIGGER refuse BEFORE INSERT ON refusing EXECUTE FUNCTION refuse()`);
}

async function direct(bed: ProxyBed, { address }: Database): Promise<pg.Client> {
  const client = new pg.Client({ ...bed.config, host: address.host, port: address.port });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

describe('a COPY that', () => {
  test.for(STORIES)('%s leaves its session able to move', async ([, story], { source, target }) => {
    await prepareTables(source, target);
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const untouched = await direct(bed, source);
    expect(await tell(client, story)).toBe(await tell(untouched, story));
    await untouched.end();
    await bed.switchSides();
    expect(await tell(client, [[[query('SHOW server_version_num')], 'Z']])).toContain('server_version_num');
    await bed.switchSides();
    await client.end();
  });
});
