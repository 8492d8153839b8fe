/** currval() and lastval() in a request of their own, as PDO and old database layers ask for them, when a switch falls before it. */

import type net from 'node:net';
import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { rawConnection, startProxyBed } from '../../test/support/proxy-bed.ts';
import { query } from '../wire/frontend.ts';

const PAUSE = { reason: 'test', leaseMs: 20_000, drainTimeoutMs: 5_000 };
const INSERT = 'INSERT INTO t DEFAULT VALUES';

/** Values drawn on the source begin with 100, on the target with 1. */
async function startBed(source: Database, target: Database) {
  for (const side of [source, target]) await side.exec('CREATE TABLE t (id serial PRIMARY KEY)');
  await source.exec("SELECT setval('t_id_seq', 100, false)");
  return await startProxyBed(source, target);
}

const drawn = async (asked: Promise<pg.QueryResult>) => Object.values((await asked).rows[0] ?? {})[0];

describe('what a session drew before the switch', () => {
  test.for<[string, pg.QueryConfig]>([
    ['lastval()', { text: 'SELECT LASTVAL()' }],
    ['currval() with a name', { text: "SELECT currval('t_id_seq')" }],
    ['currval() of a column', { text: "SELECT currval(pg_get_serial_sequence('t', 'id')) AS id" }],
    ['currval() with a parameter', { text: 'SELECT CURRVAL($1)', values: ['t_id_seq'] }],
    ['a prepared statement', { name: 'asks', text: 'SELECT CURRVAL($1)', values: ['t_id_seq'] }],
  ])('is told by %s that is asked in the pause', async ([, question], { source, target }) => {
    await using bed = await startBed(source, target);
    const client = await bed.connect();
    await client.query(INSERT);
    if (question.name !== undefined) await client.query(question);
    await bed.traffic.prepare('target');
    expect(await bed.traffic.pause(PAUSE)).toMatchObject({ drained: true });
    const asked = drawn(client.query(question));
    await bed.traffic.observe();
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect(await asked).toBe('100');
    expect(await drawn(client.query(question))).toBe('100');
    await client.query(INSERT);
    expect(await drawn(client.query(question))).toBe('1');
    expect([await source.rows('SELECT id FROM t'), await target.rows('SELECT id FROM t')]).toEqual([
      [{ id: 100 }],
      [{ id: 1 }],
    ]);
    await client.end();
  });

  test('is told by what is asked after the pause, up to the first other request', async ({
    source,
    target,
  }) => {
    await using bed = await startBed(source, target);
    const client = await bed.connect();
    await client.query(INSERT);
    await bed.switchSides();
    expect(await drawn(client.query('SELECT lastval()'))).toBe('100');
    await client.query('SELECT 1');
    await expect(client.query('SELECT lastval()')).rejects.toMatchObject({ code: '55000' });
    await client.end();
  });

  test('is not made up where there is nothing', async ({ source, target }) => {
    await using bed = await startBed(source, target);
    const client = await bed.connect();
    await bed.switchSides();
    await expect(client.query('SELECT lastval()')).rejects.toMatchObject({ code: '55000' });
    expect(await drawn(client.query("SELECT nextval('t_id_seq')"))).toBe('1');
    await client.end();
  });

  test('is gone with the old server, and the session goes on', async ({ source, target }) => {
    await using bed = await startBed(source, target);
    const client = await bed.connect();
    await client.query(INSERT);
    const { processID } = client as unknown as { processID: number };
    await bed.traffic.prepare('target');
    expect(await bed.traffic.pause(PAUSE)).toMatchObject({ drained: true });
    await source.exec(`SELECT pg_terminate_backend(${processID}, 5000)`);
    const asked = client.query('SELECT lastval()');
    await bed.traffic.observe();
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    await expect(asked).rejects.toMatchObject({ code: '55000' });
    await client.query(INSERT);
    expect(await drawn(client.query('SELECT lastval()'))).toBe('1');
    await client.end();
  });

  test('comes before the answer to what was sent behind the question', async ({ source, target }) => {
    await using bed = await startBed(source, target);
    const client = await bed.connect();
    await client.query(INSERT);
    await bed.traffic.prepare('target');
    expect(await bed.traffic.pause(PAUSE)).toMatchObject({ drained: true });
    const raw = rawConnection(client);
    const rows: string[] = [];
    const answered = new Promise<void>((resolve) => {
      (raw as unknown as NodeJS.EventEmitter).on('dataRow', ({ fields }: { fields: unknown[] }) => {
        if (rows.push(String(fields[0])) === 4) resolve();
      });
    });
    const { stream } = raw as unknown as { stream: net.Socket };
    const words = [
      'SELECT lastval()',
      "SELECT currval('t_id_seq')",
      `${INSERT} RETURNING id`,
      'SELECT lastval()',
    ];
    stream.write(Buffer.concat(words.map(query)));
    await bed.traffic.observe();
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    await answered;
    expect(rows).toEqual(['100', '100', '1', '1']);
    await client.end();
  });
});
