/** Holds, leases, draining, and who decides when the owner of a pause is gone. */

import type { EventEmitter } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { describe, expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { cancel, type ProxyBed, rawConnection, ready, startProxyBed } from '../../test/support/proxy-bed.ts';
import { until } from '../base/async.ts';
import { RefusedError } from '../domain/errors.ts';
import { ControlClient } from '../traffic/control-client.ts';
import { openProxySwitch } from '../traffic/proxy-switch.ts';
import type { Hold, ProxyState, SessionSummary } from './control-types.ts';
import type { Direction } from './options.ts';

const PAUSE = { reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 };

/** Whether the promise has settled by now. */
async function isPending(work: Promise<unknown>): Promise<boolean> {
  const marker = Symbol('pending');
  return (await Promise.race([work, Promise.resolve(marker)])) === marker;
}

/** One request of the control API. */
async function request<Reply>(
  bed: ProxyBed,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<Reply> {
  const control = new ControlClient(bed.proxy.controlAddress);
  try {
    return await control.call<Reply>(method, path, 5_000, body);
  } finally {
    control.close();
  }
}

const sessionStates = async (bed: ProxyBed): Promise<string[]> =>
  (await request<SessionSummary[]>(bed, 'GET', '/v1/sessions')).map(({ state }) => state);

const holds = async (bed: ProxyBed): Promise<readonly Hold[]> =>
  (await request<ProxyState>(bed, 'GET', '/v1/state')).holds;

const held = (bed: ProxyBed, count: number) =>
  until(
    'held sessions',
    async () =>
      (await sessionStates(bed)).filter((state) => state === 'held').length === count ? true : undefined,
    { timeoutMs: 5_000 },
  );

describe('a pause', () => {
  test('holds new requests and lets running ones end', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const [busy, idle] = [await bed.connect(), await bed.connect()];
    await source.exec('SELECT pg_advisory_lock(1)');
    const running = busy.query("SELECT 'done' AS v FROM pg_advisory_lock(1)");
    await until(
      'the running request',
      async () => ((await sessionStates(bed)).includes('busy') ? true : undefined),
      { timeoutMs: 5_000 },
    );
    const pausing = bed.traffic.pause(PAUSE);
    await held(bed, 1);
    expect(await isPending(pausing)).toBe(true);
    await source.exec('SELECT pg_advisory_unlock(1)');
    expect(await pausing).toEqual({ drained: true, obstacles: [] });
    expect((await running).rows).toEqual([{ v: 'done' }]);
    const waiting = idle.query('SELECT 1 AS v');
    await held(bed, 2);
    expect(await isPending(waiting)).toBe(true);
    const { waits } = await bed.traffic.resume('source', 0);
    expect((await waiting).rows).toEqual([{ v: 1 }]);
    expect(waits.heldRequests).toBe(1);
    expect(waits.longestWaitMs).toBeGreaterThan(0);
    await Promise.all([busy.end(), idle.end()]);
  });

  test('never splits a transaction: it goes on to its end on the old side', async ({ source, target }) => {
    for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO t VALUES (1)');
    const pausing = bed.traffic.pause(PAUSE);
    await until('the hold', async () => ((await bed.traffic.observe()).paused ? true : undefined), {
      timeoutMs: 5_000,
    });
    await client.query('INSERT INTO t VALUES (2)');
    expect(await isPending(pausing)).toBe(true);
    const committing = client.query('COMMIT');
    expect((await pausing).drained).toBe(true);
    await committing;
    const next = client.query('INSERT INTO t VALUES (3)');
    await bed.traffic.resume('target', 1);
    await next;
    expect(await source.rows('SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await target.rows('SELECT a FROM t')).toEqual([{ a: 3 }]);
    await client.end();
  });

  test('reports what does not drain within its time, and undoes itself', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query('BEGIN');
    await client.query('SELECT 42');
    const paused = await bed.traffic.pause({ ...PAUSE, drainTimeoutMs: 100 });
    expect(paused).toEqual({
      drained: false,
      obstacles: [
        { pid: expect.any(Number), user: bed.role, what: 'a transaction is open', query: 'SELECT 42' },
      ],
    });
    await bed.traffic.resume('source', 0);
    await client.query('COMMIT');
    await client.end();
  });

  test('holds nobody for one that has been at it for longer than all would wait', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const other = await bed.connect();
    await client.query('BEGIN');
    // Not a wait: it makes the transaction older than the pause would wait for it.
    await client.query('SELECT pg_sleep(0.2)');
    expect(await bed.traffic.pause({ ...PAUSE, drainTimeoutMs: 100 })).toMatchObject({
      drained: false,
      obstacles: [{ what: 'a transaction is open' }],
    });
    expect(await bed.traffic.observe()).toMatchObject({ paused: false });
    await other.query('SELECT 1');
    const { waits } = await bed.traffic.resume('source', 0);
    expect(waits.heldRequests).toBe(0);
    await client.query('COMMIT');
    expect((await bed.traffic.pause(PAUSE)).drained).toBe(true);
    await bed.traffic.resume('source', 0);
    await Promise.all([client.end(), other.end()]);
  });

  test('does not cut a pipeline in two', async ({ source, target }) => {
    for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = rawConnection(client);
    const synced = ready(connection);
    const insert = (value: number) => {
      connection.parse({ text: `INSERT INTO t VALUES (${value})` });
      connection.bind({});
      connection.execute({});
    };
    insert(1);
    connection.flush();
    await until(
      'the first half to arrive',
      async () => ((await sessionStates(bed))[0] === 'busy' ? true : undefined),
      { timeoutMs: 5_000 },
    );
    const pausing = bed.traffic.pause(PAUSE);
    await until('the hold', async () => ((await bed.traffic.observe()).paused ? true : undefined), {
      timeoutMs: 5_000,
    });
    insert(2);
    expect(await isPending(pausing)).toBe(true);
    connection.sync();
    expect((await pausing).drained).toBe(true);
    await bed.traffic.resume('target', 1);
    await synced;
    expect(await source.rows('SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }]);
    await client.end();
  });

  test('drains a session that ended its extended messages with a query instead of a Sync', async ({
    source,
    target,
  }) => {
    for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = rawConnection(client);
    const answered = ready(connection);
    connection.parse({ text: 'INSERT INTO t VALUES (1)' });
    connection.bind({});
    connection.execute({});
    connection.flush();
    connection.query('INSERT INTO t VALUES (2)');
    await answered;
    expect(await source.rows('SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }]);
    expect((await bed.traffic.pause({ ...PAUSE, drainTimeoutMs: 1_000 })).obstacles).toEqual([]);
    await bed.traffic.resume('source', 0);
    await client.end();
  });

  test('drains a session whose query was passed over after an error, and knows its statements', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = rawConnection(client);
    (client as unknown as { connection: EventEmitter }).connection.removeAllListeners('errorMessage');
    connection.parse({ text: 'SELECT 1/0' });
    connection.bind({});
    connection.execute({});
    connection.query('SELECT 2');
    connection.sync();
    connection.parse({ name: 'kept', text: 'SELECT 3 AS v' });
    connection.sync();
    await new Promise<void>((resolve) =>
      connection.once('readyForQuery', () => connection.once('readyForQuery', resolve)),
    );
    await bed.switchSides();
    const row = new Promise<unknown>((resolve) =>
      connection.once('dataRow', ({ fields }) => resolve(fields)),
    );
    connection.bind({ statement: 'kept' });
    connection.execute({});
    connection.sync();
    await ready(connection);
    expect(String(await row)).toBe('3');
    await client.end();
  });

  test('takes new connections in and serves them afterwards, on the new side', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await bed.traffic.pause(PAUSE);
    const arriving = bed.connect();
    await until(
      'the arrival',
      async () => ((await bed.traffic.observe()).sessions === 1 ? true : undefined),
      { timeoutMs: 5_000 },
    );
    await bed.traffic.resume('target', 1);
    const client = await arriving;
    expect((await client.query<{ v: string }>('SHOW server_version')).rows[0]).toMatchObject({
      server_version: expect.stringMatching(/^16/),
    });
    await client.end();
  });

  test('of one owner is not ended by another', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await using other = openProxySwitch([bed.proxy.controlAddress], 'somebody else');
    const client = await bed.connect();
    await bed.traffic.pause(PAUSE);
    await other.pause(PAUSE);
    await expect(bed.traffic.resume('source', 0)).rejects.toMatchObject({
      code: 'traffic_still_held',
      exitCode: 4,
      message: expect.stringContaining('somebody else'),
    });
    const waiting = client.query('SELECT 1');
    await held(bed, 1);
    expect(await isPending(waiting)).toBe(true);
    await other.resume('source', 0);
    await waiting;
    await client.end();
  });

  test('survives a client that goes away while it waits', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.traffic.pause(PAUSE);
    client.query('SELECT 1').catch(() => undefined);
    await held(bed, 1);
    (client as unknown as { connection: { stream: net.Socket } }).connection.stream.destroy();
    await bed.traffic.resume('target', 1);
    await until(
      'the end of the session',
      async () => ((await bed.traffic.observe()).sessions === 0 ? true : undefined),
      { timeoutMs: 5_000 },
    );
  });
});

describe('a cancel of a request that is held', () => {
  test.for(['simple', 'extended'] as const)(
    'answers it as the server would, which never sees it: %s',
    async (protocol, { source, target }) => {
      for (const side of [source, target]) await side.exec('CREATE TABLE t (a int)');
      await using bed = await startProxyBed(source, target);
      const client = await bed.connect();
      await bed.traffic.pause(PAUSE);
      const insert =
        protocol === 'simple'
          ? client.query('INSERT INTO t VALUES (1)')
          : client.query('INSERT INTO t VALUES ($1)', [1]);
      await held(bed, 1);
      let code: string | undefined;
      insert.catch((error: pg.DatabaseError) => {
        code = error.code;
      });
      const isCancelled = async () => {
        await cancel(bed, client);
        return code;
      };
      expect(await until('the answer', isCancelled, { timeoutMs: 5_000 })).toBe('57014');
      const next = client.query('SELECT 7 AS v');
      expect(await isPending(next)).toBe(true);
      expect((await bed.traffic.pause(PAUSE)).drained).toBe(true);
      const { waits } = await bed.traffic.resume('target', 1);
      expect((await next).rows).toEqual([{ v: 7 }]);
      expect(waits.heldRequests).toBe(1);
      for (const side of [source, target]) expect(await side.rows('SELECT a FROM t')).toEqual([]);
      await client.end();
    },
  );

  test('ends with the request’s own end, which may come later; what is behind it waits', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE t (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = rawConnection(client);
    const errors: string[] = [];
    const raw = client as unknown as {
      connection: {
        removeAllListeners(event: string): void;
        on(event: 'errorMessage', listener: (message: { code: string }) => void): void;
      };
    };
    raw.connection.removeAllListeners('errorMessage');
    raw.connection.on('errorMessage', ({ code }) => errors.push(code));
    await bed.traffic.pause(PAUSE);
    connection.parse({ text: 'INSERT INTO t VALUES (1)' });
    connection.bind({});
    connection.execute({});
    connection.flush();
    await until(
      'the cancellation',
      async () => {
        await cancel(bed, client);
        return errors.length > 0 ? true : undefined;
      },
      { timeoutMs: 5_000 },
    );
    const answered = ready(connection);
    connection.sync();
    await answered;
    const later = ready(connection);
    connection.query('INSERT INTO t VALUES (2)');
    expect(await isPending(later)).toBe(true);
    await bed.traffic.resume('source', 0);
    await later;
    expect(errors).toEqual(['57014']);
    expect(await source.rows('SELECT a FROM t')).toEqual([{ a: 2 }]);
    await client.end();
  });
});

describe('a lease that ends', () => {
  test('resumes on the old side', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.traffic.pause({ ...PAUSE, leaseMs: 200 });
    expect((await client.query('SELECT 1 AS v')).rows).toEqual([{ v: 1 }]);
    await expect(bed.traffic.renew(1_000)).rejects.toThrow(RefusedError);
    await expect(bed.traffic.committing('target', 1)).rejects.toMatchObject({ code: 'hold_missing' });
    expect(await bed.traffic.observe()).toMatchObject({ activeSide: 'source', epoch: 0, paused: false });
    await client.end();
  });

  test('does not end while it is renewed', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await using other = openProxySwitch([bed.proxy.controlAddress], 'never renews');
    const lease = { ...PAUSE, leaseMs: 500 };
    await bed.traffic.pause(lease);
    await bed.traffic.renew(30_000);
    // Begun later and as long as the first lease was: when it has ended, so would that have.
    await other.pause(lease);
    const left = async () => {
      const owners = (await holds(bed)).map(({ owner }) => owner);
      return owners.includes('never renews') ? undefined : owners;
    };
    expect(await until('the end of the other lease', left, { timeoutMs: 5_000 })).toEqual(['test']);
    expect(await bed.traffic.observe()).toMatchObject({ paused: true });
    await bed.traffic.resume('source', 0);
  });

  test.for([
    ['target', 1],
    ['source', 0],
  ] as const)(
    'after committing goes where the migration row points: %s',
    async ([side, epoch], { source, target }) => {
      let row: Direction | undefined;
      let timesAsked = 0;
      await using bed = await startProxyBed(source, target, {
        askActiveSide: async () => {
          timesAsked += 1;
          return row;
        },
      });
      const client = await bed.connect();
      await bed.traffic.prepare('target');
      await bed.traffic.pause({ ...PAUSE, leaseMs: 200 });
      await bed.traffic.committing('target', 1);
      timesAsked = 0;
      const waiting = client.query("SELECT current_setting('server_version_num')::int / 10000 AS v");
      // It asks when the lease has ended, and again when the answer told nothing.
      await until('a second question', async () => (timesAsked > 1 ? true : undefined), { timeoutMs: 5_000 });
      await held(bed, 1);
      expect(await isPending(waiting)).toBe(true);
      row = { side, epoch };
      expect((await waiting).rows).toEqual([{ v: side === 'target' ? 16 : 15 }]);
      expect(await bed.traffic.observe()).toMatchObject({ activeSide: side, epoch, paused: false });
      await client.end();
    },
  );

  test('each silence of an owner is counted anew', async ({ source, target }) => {
    const asked: number[] = [];
    await using bed = await startProxyBed(source, target, {
      askActiveSide: async (silentMs) => {
        asked.push(silentMs);
        return undefined;
      },
    });
    await bed.traffic.pause({ ...PAUSE, leaseMs: 100 });
    await bed.traffic.committing('target', 1);
    const times = (many: number) =>
      until('the questions', async () => (asked.length >= many ? true : undefined), { timeoutMs: 10_000 });
    // The first is the start's.
    await times(4);
    await bed.traffic.renew(100);
    const before = asked.length;
    await times(before + 2);
    expect(asked[3]).toBeGreaterThan(asked[2] ?? 0);
    expect(Math.min(...asked.slice(before))).toBeLessThan(asked[3] ?? 0);
    await bed.traffic.resume('source', 0);
  });

  test('after committing refuses clients when nobody can tell, until somebody can', async ({
    source,
    target,
  }) => {
    let row: Direction | undefined;
    await using bed = await startProxyBed(source, target, { askActiveSide: async () => row });
    const client = await bed.connect();
    await bed.traffic.pause({ ...PAUSE, leaseMs: 100 });
    const committing = { owner: 'test', to: 'target', epoch: 1, refuseAfterMs: 0 };
    await request(bed, 'POST', '/v1/committing', committing);
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '57P03' });
    await expect(bed.connect()).rejects.toMatchObject({ code: '57P03' });
    row = { side: 'target', epoch: 1 };
    await until(
      'the end of the pause',
      async () => ((await bed.traffic.observe()).paused ? undefined : true),
      { timeoutMs: 5_000 },
    );
    const later = await bed.connect();
    expect(
      (await later.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows,
    ).toEqual([{ v: 16 }]);
    await later.end();
  });
});

describe('a dead owner whose commit point nobody can tell of', () => {
  const unreadable = async (): Promise<Direction | undefined> => {
    throw new Error('the target does not answer');
  };
  const isExpired = (bed: ProxyBed) =>
    until(
      'the end of the lease',
      async () =>
        (await holds(bed)).some(({ leaseRemainingMs }) => leaseRemainingMs === 0) ? true : undefined,
      { timeoutMs: 5_000 },
    );

  test('is followed by the next one, who has read the row', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, { askActiveSide: unreadable, assume: 'source' });
    await using dead = openProxySwitch([bed.proxy.controlAddress], 'dead');
    const client = await bed.connect();
    await dead.pause({ ...PAUSE, leaseMs: 200 });
    await dead.committing('target', 1);
    const waiting = client.query('SELECT 1 AS one');
    await isExpired(bed);
    await bed.traffic.pause(PAUSE);
    await bed.traffic.resume('source', 0);
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    expect(await bed.traffic.observe()).toMatchObject({ activeSide: 'source', paused: false });
    await client.end();
  });

  test('is waited for by one who comes before its lease has ended', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, { askActiveSide: unreadable, assume: 'source' });
    await using dead = openProxySwitch([bed.proxy.controlAddress], 'dead');
    const client = await bed.connect();
    await dead.pause({ ...PAUSE, leaseMs: 1_000 });
    await dead.committing('target', 1);
    const { waits } = await bed.traffic.resume('target', 1);
    expect(waits.sessionsMoved).toBe(1);
    expect(await bed.traffic.observe()).toMatchObject({ activeSide: 'target', paused: false });
    await client.end();
  });

  test('is not followed by one who merely gives up its own pause', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, { askActiveSide: unreadable, assume: 'source' });
    await using dead = openProxySwitch([bed.proxy.controlAddress], 'dead');
    await dead.pause({ ...PAUSE, leaseMs: 200 });
    await dead.committing('target', 1);
    await isExpired(bed);
    await using next = openProxySwitch([bed.proxy.controlAddress, 'unix:/nonexistent/proxy'], 'next');
    await expect(next.pause(PAUSE)).rejects.toMatchObject({ code: 'proxy_unreachable' });
    expect(await bed.traffic.observe()).toMatchObject({ paused: true });
    await bed.traffic.resume('target', 1);
  });
});

describe('where traffic points', () => {
  test('is kept across restarts, and the migration row overrules it', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const stateFile = `${bed.folder}/state`;
    const start = (row: Direction | undefined) =>
      startProxyBed(source, target, { stateFile, askActiveSide: async () => row });
    // A file of a proxy that knew nothing of switches in the middle.
    await writeFile(stateFile, '{"side":"source","epoch":0}');
    {
      await using first = await start(undefined);
      await first.traffic.resume('target', 3);
    }
    {
      await using second = await start(undefined);
      expect(await second.traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 3 });
    }
    await using third = await start({ side: 'source', epoch: 4 });
    expect(await third.traffic.observe()).toMatchObject({ activeSide: 'source', epoch: 4 });
  });

  test('is not guessed: clients are refused until the target can be asked', async ({ source, target }) => {
    let ask = async (): Promise<Direction | undefined> => {
      throw new Error('connect ECONNREFUSED');
    };
    const said: string[] = [];
    await using bed = await startProxyBed(source, target, {
      askActiveSide: () => ask(),
      warn: (message) => said.push(message),
    });
    await expect(bed.connect()).rejects.toMatchObject({ code: '57P03' });
    await expect(bed.traffic.observe()).rejects.toMatchObject({ code: 'proxy_undecided', exitCode: 20 });
    const ready = () => request(bed, 'GET', '/readyz');
    await expect(ready()).rejects.toMatchObject({ code: 'side_unknown' });
    expect(said.join()).toContain('ECONNREFUSED');
    ask = async () => ({ side: 'target', epoch: 1 });
    await until('an answer', () => bed.traffic.observe().catch(() => undefined), { timeoutMs: 5_000 });
    expect(await ready()).toEqual({ ok: true });
    const client = await bed.connect();
    expect((await client.query('SHOW server_version_num')).rows[0]?.server_version_num).toMatch(/^16/);
    await client.end();
  });

  test('is not taken from a state file that was written in the middle of a switch', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const stateFile = `${bed.folder}/state`;
    const unreadable = async () => {
      throw new Error('no answer');
    };
    {
      await using killed = await startProxyBed(source, target, { stateFile });
      await killed.traffic.pause(PAUSE);
      await killed.traffic.committing('target', 1);
    }
    await using started = await startProxyBed(source, target, { stateFile, askActiveSide: unreadable });
    await expect(started.connect()).rejects.toMatchObject({ code: '57P03' });
    // The tool that comes back knows.
    await started.traffic.resume('target', 1);
    await (await started.connect()).end();
    await using again = await startProxyBed(source, target, { stateFile, askActiveSide: unreadable });
    expect(await again.traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 1 });
  });

  test('is the same server in the next upgrade, whose source the target has become', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const stateFile = `${bed.folder}/state`;
    {
      await using first = await startProxyBed(source, target, { stateFile });
      await first.traffic.resume('target', 1);
    }
    // Nothing has been synced to the next target yet: it has no row.
    await using next = await startProxyBed(target, source, { stateFile });
    expect(await next.traffic.observe()).toMatchObject({ activeSide: 'source', epoch: 0 });
  });

  test('is not held up by a state file that cannot be written', async ({ source, target }) => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-state-'));
    await using bed = await startProxyBed(source, target, { stateFile: join(folder, 'state') });
    const client = await bed.connect();
    await rm(folder, { recursive: true });
    await bed.traffic.pause(PAUSE);
    const waiting = client.query('SELECT 1 AS one');
    // Before the commit point: given up.
    await expect(bed.traffic.committing('target', 1)).rejects.toMatchObject({ code: 'proxy_failed' });
    await bed.traffic.resume('source', 0);
    expect((await waiting).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('follows the row when the lease ends, also to an epoch that is not newer', async ({
    source,
    target,
  }) => {
    let row: Direction | undefined = { side: 'source', epoch: 4 };
    await using bed = await startProxyBed(source, target, { askActiveSide: async () => row });
    const client = await bed.connect();
    await bed.traffic.pause({ ...PAUSE, leaseMs: 200 });
    await bed.traffic.committing('target', 5);
    row = { side: 'target', epoch: 1 };
    expect(
      (await client.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows,
    ).toEqual([{ v: 16 }]);
    await client.end();
  });

  test('is not told of a commit point whose epoch is not newer', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, {
      askActiveSide: async () => ({ side: 'source', epoch: 4 }),
    });
    await bed.traffic.pause(PAUSE);
    await expect(bed.traffic.committing('target', 1)).rejects.toMatchObject({ code: 'epoch_not_newer' });
    await bed.traffic.resume('source', 4);
  });

  test('does not change for an epoch that is not newer', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    await bed.traffic.resume('target', 2);
    await expect(bed.traffic.resume('source', 1)).rejects.toMatchObject({ code: 'epoch_not_newer' });
    await expect(bed.traffic.resume('source', 2)).rejects.toMatchObject({ code: 'epoch_not_newer' });
    await bed.traffic.resume('target', 2);
    expect(await bed.traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 2 });
  });
});

describe('several proxies', () => {
  test('pause and resume together, or not at all', async ({ source, target }) => {
    await using one = await startProxyBed(source, target);
    await using two = await startProxyBed(source, target);
    const controls = [one.proxy.controlAddress, two.proxy.controlAddress];
    await using both = openProxySwitch(controls, 'both');
    const clients = [await one.connect(), await two.connect()];
    expect((await both.pause(PAUSE)).drained).toBe(true);
    await both.resume('target', 1);
    expect(await both.observe()).toMatchObject({ activeSide: 'target', sessions: 2, paused: false });
    for (const client of clients) await client.end();

    await using broken = openProxySwitch([...controls, 'unix:/nonexistent/proxy'], 'broken');
    await expect(broken.pause(PAUSE)).rejects.toMatchObject({ code: 'proxy_unreachable', exitCode: 4 });
    expect(await both.observe()).toMatchObject({ activeSide: 'target', paused: false });
    await one.traffic.resume('source', 2);
    await expect(both.observe()).rejects.toMatchObject({ code: 'proxies_disagree', exitCode: 20 });
  });
});

test('a proxy whose server is down says so to the client, and recovers with it', async ({
  source,
  target,
}) => {
  const nowhere = net.createServer();
  await new Promise<void>((resolve) => nowhere.listen(0, '127.0.0.1', resolve));
  const { port } = nowhere.address() as net.AddressInfo;
  await new Promise((resolve) => nowhere.close(resolve));
  await using bed = await startProxyBed(source, target, {
    servers: { source: { ...source.address, port }, target: target.address },
  });
  await expect(bed.connect()).rejects.toMatchObject({ code: '08006' } satisfies Partial<pg.DatabaseError>);
  await bed.traffic.resume('target', 1);
  await (await bed.connect()).end();
});

test('the control API is not opened to others, and refuses what it does not understand', async ({
  source,
  target,
}) => {
  await expect(
    startProxyBed(source, target, { control: { host: '0.0.0.0', port: 0 } }),
  ).rejects.toMatchObject({
    code: 'control_open_to_others',
    exitCode: 2,
  });
  await using bed = await startProxyBed(source, target, { control: { host: '127.0.0.1', port: 0 } });
  const post = async (path: string, body: string) => {
    const response = await fetch(`${bed.proxy.controlAddress}${path}`, { method: 'POST', body });
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  expect(await post('/v1/pause', '{"owner": "x"}')).toEqual([400, 'bad_request']);
  expect(await post('/v1/pause', 'not JSON')).toEqual([400, 'bad_request']);
  expect(await post('/v1/resume', '{"owner": "x", "side": "left", "epoch": 1}')).toEqual([
    400,
    'bad_request',
  ]);
  expect(await post('/v1/unheard', '{}')).toEqual([404, 'unknown_route']);
  const metrics = await (await fetch(`${bed.proxy.controlAddress}/metrics`)).text();
  expect(metrics).toContain('pgglide_proxy_active_side{side="source"} 1');
});
