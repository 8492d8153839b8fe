/** A session goes on with everything it had, seen through node-postgres. */

import net from 'node:net';
import { availableParallelism } from 'node:os';
import type pg from 'pg';
import postgres from 'postgres';
import { describe, expect, vi } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import {
  cancel,
  type RawConnection,
  rawConnection,
  ready,
  startProxyBed,
} from '../../test/support/proxy-bed.ts';
import { until } from '../base/async.ts';
import { ident, sql, trusted } from '../postgres/sql.ts';
import { ControlClient } from '../traffic/control-client.ts';
import { int32 } from '../wire/bytes.ts';
import type { ProxyState } from './control-types.ts';

const major = async (client: { query(text: string): Promise<{ rows: { v: string }[] }> }) =>
  (await client.query("SELECT split_part(current_setting('server_version'), '.', 1) AS v")).rows[0]?.v;

const PAUSE = { reason: 'test', leaseMs: 20_000, drainTimeoutMs: 5_000 };

/** Stands before a server; new connections wait while it is shut. */
async function startGate({ host, port }: { readonly host: string; readonly port: number }) {
  let waiting: (() => void)[] | undefined;
  const sockets = new Set<net.Socket>();
  const gate = net.createServer((near) => {
    const through = () => {
      const far = net.connect(port, host);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
      }
      near.pipe(far).pipe(near);
    };
    if (waiting === undefined) through();
    else waiting.push(through);
  });
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
  return {
    port: (gate.address() as net.AddressInfo).port,
    shut() {
      waiting = [];
    },
    open() {
      const all = waiting ?? [];
      waiting = undefined;
      for (const through of all) through();
    },
    /** As when the server is killed: its connections end without a word. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => gate.close(resolve));
    },
  };
}

/** Stands before a server, and can cut in two what that says next. */
async function startSplitter({ host, port }: { readonly host: string; readonly port: number }) {
  let next: { bytes: number; cut: (rest: () => void) => void } | undefined;
  const sockets = new Set<net.Socket>();
  const relay = net.createServer((near) => {
    const far = net.connect(port, host);
    near.setNoDelay(true);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      const asked = next;
      next = undefined;
      near.write(asked === undefined ? chunk : chunk.subarray(0, asked.bytes));
      asked?.cut(() => void near.write(chunk.subarray(asked.bytes)));
    });
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    port: (relay.address() as net.AddressInfo).port,
    /** Resolves when so many bytes have been passed on, with what passes the rest on. */
    cutNext: (bytes: number) =>
      new Promise<() => void>((cut) => {
        next = { bytes, cut };
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}

/** Parses an unnamed statement, and nothing more. */
async function unnamed(client: pg.Client, text: string): Promise<RawConnection> {
  const connection = rawConnection(client);
  const parsed = ready(connection);
  connection.parse({ name: '', text });
  connection.sync();
  await parsed;
  return connection;
}

describe('a session that is moved', () => {
  test('goes on on the other server, there and back', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    expect(await major(client)).toBe('15');
    expect((await bed.switchSides()).waits.sessionsMoved).toBe(1);
    expect(await major(client)).toBe('16');
    await bed.switchSides();
    expect(await major(client)).toBe('15');
    await client.end();
  });

  test('and comes back at once has its place: the connections it left are gone by then', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const places = 4;
    for (const { connection } of [source, target]) {
      await connection.script(
        sql`ALTER ROLE ${ident(bed.role)} NOSUPERUSER CONNECTION LIMIT ${trusted(String(places))}`,
      );
    }
    const clients = await Promise.all(Array.from({ length: places }, () => bed.connect()));
    expect((await bed.switchSides()).waits.sessionsMoved).toBe(places);
    expect((await bed.switchSides()).waits.sessionsMoved).toBe(places);
    expect(await Promise.all(clients.map(major))).toEqual(clients.map(() => '15'));
    await Promise.all(clients.map((client) => client.end()));
  });

  test('leaves connections that end by themselves', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const clients = await Promise.all([bed.connect(), bed.connect(), bed.connect()]);
    await bed.switchSides();
    await until(
      'the end of the connections to the old side',
      async () => {
        const { count } = await source.connection.one<{ count: number }>(
          sql`SELECT count(*)::integer AS count FROM pg_stat_activity WHERE usename = ${bed.role}`,
        );
        return count === 0 ? true : undefined;
      },
      { timeoutMs: 30_000 },
    );
    expect(await Promise.all(clients.map(major))).toEqual(['16', '16', '16']);
    await Promise.all(clients.map((client) => client.end()));
  });

  test('hears of the new server version', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const versions: string[] = [];
    (
      client as unknown as {
        connection: {
          on(
            event: string,
            listener: (message: { parameterName: string; parameterValue: string }) => void,
          ): void;
        };
      }
    ).connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'server_version') versions.push(parameterValue);
    });
    await bed.switchSides();
    await client.query('SELECT 1');
    expect(versions).toEqual([expect.stringMatching(/^16\./)]);
    await client.end();
  });

  test('keeps its settings, also those of its own making', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect({ application_name: 'kept' });
    await client.query(
      'SET work_mem = \'5MB\'; SET search_path = pg_catalog, "odd ""name"; SET app.tenant = \'für 7\'',
    );
    await client.query("SELECT set_config('app.other', 'x', false)");
    await client.query('SELECT set_config($2, $1, false)', ['y', 'app.Bound']);
    await client.query("SET app.empty = ''");
    await client.query("SET TimeZone = 'Asia/Tokyo'");
    await bed.switchSides();
    await client.query('RESET work_mem');
    await client.query("SET app.tenant = 'für 8'");
    await bed.switchSides();
    await bed.switchSides();
    const { rows } =
      await client.query(`SELECT current_setting('work_mem') AS work, current_setting('search_path') AS path,
      current_setting('app.tenant') AS tenant, current_setting('app.other') AS other, current_setting('TimeZone') AS zone,
      current_setting('app.empty') AS empty, current_setting('app.bound') AS bound, current_setting('application_name') AS application`);
    expect(rows).toEqual([
      {
        work: '4MB',
        path: 'pg_catalog, "odd ""name"',
        tenant: 'für 8',
        other: 'x',
        empty: '',
        bound: 'y',
        zone: 'Asia/Tokyo',
        application: 'kept',
      },
    ]);
    await client.end();
  });

  test('keeps its prepared statements of both kinds, and not those it gave back', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const named = { name: 'add', text: 'SELECT $1::int + $2::int AS sum', values: [1, 2] };
    await client.query(named);
    await client.query('PREPARE twice(int) AS SELECT $1 * 2 AS v; PREPARE gone AS SELECT 1');
    await client.query({ name: 'dropped', text: 'SELECT 5' });
    await client.query('DEALLOCATE gone; DEALLOCATE dropped');
    // The server keeps the first 63 bytes of a name, of which the driver warns.
    using _warned = vi.spyOn(console, 'error').mockReturnValue(undefined);
    const long = { name: `long${'x'.repeat(70)}`, text: 'SELECT 7 AS v' };
    await client.query(long);
    await bed.switchSides();
    expect((await client.query(named)).rows).toEqual([{ sum: 3 }]);
    expect((await client.query(long)).rows).toEqual([{ v: 7 }]);
    expect((await client.query('EXECUTE twice(21)')).rows).toEqual([{ v: 42 }]);
    expect(
      (await client.query("SELECT name FROM pg_prepared_statements WHERE name !~ '^_pgglide' ORDER BY 1"))
        .rows,
    ).toEqual([{ name: 'add' }, { name: long.name.slice(0, 63) }, { name: 'twice' }]);
    await client.query('DISCARD ALL');
    await bed.switchSides();
    expect(
      (await client.query("SELECT name FROM pg_prepared_statements WHERE name !~ '^_pgglide'")).rows,
    ).toEqual([]);
    await client.end();
  });

  test('keeps the many statements that one text has prepared', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const prepared = Array.from({ length: 300 }, (_, n) => `PREPARE p${n} AS SELECT '${`${n}`.padEnd(150)}'`);
    await client.query(prepared.join('; '));
    await bed.switchSides();
    expect((await client.query('EXECUTE p299')).rowCount).toBe(1);
    await client.end();
  });

  test('keeps texts that are not ASCII in whatever encoding they were sent', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const lengthOf = async (query: string | pg.QueryConfig) =>
      (await client.query<{ n: number }>(query as pg.QueryConfig)).rows[0]?.n;
    const early = { name: 'early', text: "SELECT length('ü') AS n" };
    const late = { name: 'spät', text: "SELECT length('üü') AS n" };
    const dropped = { name: 'für', text: "SELECT length('ü') AS n" };
    expect(await lengthOf(early)).toBe(1);
    // From now on each byte is a character: the driver goes on sending UTF-8.
    await client.query("SET client_encoding = 'LATIN1'");
    expect(await lengthOf(late)).toBe(4);
    expect(await lengthOf(dropped)).toBe(2);
    await client.query("PREPARE ä AS SELECT length('ü') AS n; LISTEN \"kanäle\"; SET app.tenant = 'ü'");
    await bed.traffic.prepare('target');
    await client.query('DEALLOCATE "für"');
    const seen = async () => {
      const { rows } = await client.query<{
        listens: boolean;
        encoding: string;
        tenant: boolean;
        names: number;
      }>(`
        SELECT (SELECT c = 'kanäle' FROM pg_listening_channels() c) AS listens,
          current_setting('client_encoding') AS encoding, current_setting('app.tenant') = 'ü' AS tenant,
          (SELECT count(*)::int FROM pg_prepared_statements WHERE name !~ '^_pgglide') AS names`);
      return [await lengthOf(early), await lengthOf(late), await lengthOf('EXECUTE ä'), rows[0]];
    };
    const before = await seen();
    expect(before).toEqual([1, 4, 2, { listens: true, encoding: 'LATIN1', tenant: true, names: 3 }]);
    for (const version of ['16', '15']) {
      await bed.switchSides();
      expect(await major(client)).toBe(version);
      expect(await seen()).toEqual(before);
    }
    await client.end();
  });

  test('goes on listening', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const heard: string[] = [];
    client.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
    await client.query('LISTEN news; LISTEN "Other ""one"');
    await source.exec("NOTIFY news, 'before'");
    await bed.switchSides();
    await target.exec('NOTIFY news, \'after\'; NOTIFY "Other ""one", \'too\'');
    await until('all notifications', async () => (heard.length >= 3 ? true : undefined), {
      timeoutMs: 10_000,
    });
    expect(heard).toEqual(['news before', 'news after', 'Other "one too']);
    await client.end();
  });

  test.for([3, 7])(
    'is idle again when a notification that came in two pieces (%i bytes first) is whole',
    async (bytes, { source, target }) => {
      await using relay = await startSplitter(source.address);
      const servers = { source: { ...source.address, port: relay.port }, target: target.address };
      await using bed = await startProxyBed(source, target, { servers });
      const client = await bed.connect();
      const heard: (string | undefined)[] = [];
      client.on('notification', ({ payload }) => heard.push(payload));
      await client.query('LISTEN news');
      await bed.traffic.prepare('target');
      const cut = relay.cutNext(bytes);
      await source.exec("NOTIFY news, 'whole'");
      const rest = await cut;
      const control = new ControlClient(bed.proxy.controlAddress);
      const hasBegun = async () =>
        (await control.call<ProxyState>('GET', '/v1/state', 5_000)).sessions.idle === 0 || undefined;
      await until('the first piece', hasBegun, { timeoutMs: 5_000 });
      const pausing = bed.traffic.pause({ ...PAUSE, leaseMs: 300_000, drainTimeoutMs: 240_000 });
      await until('the hold', async () => ((await bed.traffic.observe()).paused ? true : undefined), {
        timeoutMs: 5_000,
      });
      rest();
      expect(await pausing).toEqual({ drained: true, obstacles: [] });
      await bed.traffic.committing('target', 1);
      await bed.traffic.resume('target', 1);
      expect(await major(client)).toBe('16');
      expect(heard).toEqual(['whole']);
      await client.end();
    },
  );

  test('misses no notification of requests that were released before it', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const listener = await bed.connect();
    const heard: string[] = [];
    listener.on('notification', ({ payload }) => heard.push(payload ?? ''));
    await listener.query('LISTEN news');
    // More than are released at once: the listener, which asks for nothing, is the last that moves.
    const clients = await Promise.all(
      Array.from({ length: 4 * availableParallelism() }, () => bed.connect()),
    );
    await bed.traffic.prepare('target');
    await bed.traffic.pause({ reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 });
    await bed.traffic.committing('target', 1);
    const [first, ...others] = clients;
    const said = first?.query("NOTIFY news, 'early'");
    await bed.traffic.observe();
    const slept = others.map((client) => client.query('SELECT pg_sleep(0.1)'));
    await bed.traffic.observe();
    const { waits } = await bed.traffic.resume('target', 1);
    expect(waits.heldRequests).toBe(clients.length);
    await Promise.all([said, ...slept]);
    await until('the notification', async () => (heard.length > 0 ? true : undefined), {
      timeoutMs: 10_000,
    });
    expect(heard).toEqual(['early']);
    await Promise.all([listener, ...clients].map((client) => client.end()));
  });

  test('does not hear what becomes of the connection that it left', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    const { processID } = client as unknown as { processID: number };
    await bed.switchSides();
    // As at a shutdown, or at an idle time-out, before the proxy has come round to closing it.
    await source.exec(`SELECT pg_terminate_backend(${processID})`);
    const left = `SELECT 1 FROM pg_stat_activity WHERE pid = ${processID}`;
    await until('its end', async () => ((await source.rows(left)).length === 0 ? true : undefined), {
      timeoutMs: 10_000,
    });
    expect(await major(client)).toBe('16');
    expect(errors).toEqual([]);
    await client.end();
  });

  test('goes on when its old server dies between the commit point and its move', async ({
    source,
    target,
  }) => {
    await using gate = await startGate(source.address);
    const servers = { source: { ...source.address, port: gate.port }, target: target.address };
    await using bed = await startProxyBed(source, target, { servers });
    const clients = await Promise.all([bed.connect(), bed.connect()]);
    const errors: Error[] = [];
    for (const client of clients) {
      client.on('error', (error) => errors.push(error));
      await client.query("SET application_name = 'kept'; PREPARE twice(int) AS SELECT $1 * 2 AS v");
    }
    await bed.traffic.prepare('target');
    await bed.traffic.pause({ reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 });
    await bed.traffic.committing('target', 1);
    const [waiting, idle] = clients;
    const held = waiting?.query('EXECUTE twice(21)');
    gate.cut();
    const left = `SELECT 1 FROM pg_stat_activity WHERE usename = '${bed.role}'`;
    await until('their ends', async () => ((await source.rows(left)).length === 0 ? true : undefined), {
      timeoutMs: 10_000,
    });
    const { waits } = await bed.traffic.resume('target', 1);
    expect(waits.sessionsMoved).toBe(2);
    expect((await held)?.rows).toEqual([{ v: 42 }]);
    expect((await idle?.query('SHOW application_name'))?.rows).toEqual([{ application_name: 'kept' }]);
    expect(errors).toEqual([]);
    await Promise.all(clients.map((client) => client.end()));
  });

  test('does not hear why its old server ended it in the pause, and does where it stays there', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const end = async (side: Database) => {
      const mine = `FROM pg_stat_activity WHERE usename = '${bed.role}'`;
      await side.exec(`SELECT pg_terminate_backend(pid) ${mine}`);
      await until(
        'its end',
        async () => ((await side.rows(`SELECT 1 ${mine}`)).length === 0 ? true : undefined),
        {
          timeoutMs: 10_000,
        },
      );
    };
    const pause = async (to: 'source' | 'target') => {
      await bed.traffic.prepare(to);
      await bed.traffic.pause({ reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 });
    };
    await pause('target');
    await end(source);
    await bed.traffic.resume('target', 1);
    expect(await major(client)).toBe('16');
    expect(errors).toEqual([]);
    await pause('source');
    await end(target);
    const ended = new Promise((resolve) => client.once('end', resolve));
    await bed.traffic.resume('target', 1);
    await ended;
    expect(errors[0]).toMatchObject({ code: '57P01', message: expect.stringContaining('administrator') });
    await client.end();
  });

  test('keeps its connection when its server stands still while we ask', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const { processID } = client as unknown as { processID: number };
    process.kill(processID, 'SIGSTOP');
    let answer: Promise<unknown>;
    try {
      // Longer than any question of ours may take.
      expect((await bed.traffic.prepare('target')).failures).toEqual([expect.stringContaining('No answer')]);
      answer = client.query("SET work_mem = '6MB'").then(() => client.query('SHOW work_mem'));
    } finally {
      process.kill(processID, 'SIGCONT');
    }
    expect(await answer).toMatchObject({ rows: [{ work_mem: '6MB' }] });
    await bed.switchSides();
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '6MB' }]);
    await client.end();
  });

  test('is prepared also while its client sends nothing but cancel requests', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    let isOver = false;
    const storm = (async () => {
      while (!isOver) await cancel(bed, client);
    })();
    const failures: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      // What was known of it is known no longer.
      await client.query(`SET work_mem = '${64 + turn}kB'`).catch(() => undefined);
      failures.push(...(await bed.traffic.prepare('target')).failures);
    }
    isOver = true;
    await storm;
    expect(failures).toEqual([]);
    await client.end();
  });

  test('is gone, and not moved, when its client says goodbye in the pause', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.traffic.prepare('target');
    await bed.traffic.pause({ reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 });
    const ended = new Promise((resolve) => client.once('end', resolve));
    // Terminate alone: the client waits for the server to close.
    (client as unknown as { connection: { stream: net.Socket } }).connection.stream.write(
      Buffer.from([0x58, 0, 0, 0, 4]),
    );
    await ended;
    expect((await bed.traffic.resume('target', 1)).waits.sessionsMoved).toBe(0);
  });

  test('keeps its advisory locks, and gives them back in the place it left', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query(
      'SELECT pg_advisory_lock(-7), pg_advisory_lock(8589934592), pg_advisory_lock_shared(3, -4)',
    );
    await bed.switchSides();
    const locks = `SELECT classid::int8 AS a, objid::int8 AS b, objsubid AS c, mode FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2`;
    expect(await target.rows(locks)).toEqual([
      { a: 2, b: 0, c: 1, mode: 'ExclusiveLock' },
      { a: 3, b: 4294967292, c: 2, mode: 'ShareLock' },
      { a: 4294967295, b: 4294967289, c: 1, mode: 'ExclusiveLock' },
    ]);
    expect(
      (await client.query('SELECT pg_advisory_unlock(-7) AS u, pg_advisory_unlock_shared(3, -4) AS s')).rows,
    ).toEqual([{ u: true, s: true }]);
    await until(
      'the old session to end',
      async () => ((await source.rows(locks)).length === 0 ? true : undefined),
      { timeoutMs: 10_000 },
    );
    await client.end();
  });

  test('keeps its role and session authorization', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const other = `${bed.role}_other`;
    for (const side of [source, target])
      await side.exec(`CREATE ROLE "${other}"; CREATE ROLE "${other}2"; GRANT "${other}2" TO "${other}"`);
    const client = await bed.connect();
    await client.query(`SET SESSION AUTHORIZATION "${other}"; SET ROLE "${other}2"`);
    await bed.switchSides();
    expect((await client.query('SELECT session_user AS s, current_user AS u')).rows).toEqual([
      { s: other, u: `${other}2` },
    ]);
    await client.query('RESET ROLE; RESET SESSION AUTHORIZATION');
    await bed.switchSides();
    expect((await client.query('SELECT session_user AS s, current_user AS u')).rows).toEqual([
      { s: bed.role, u: bed.role },
    ]);
    await client.end();
    await target.exec(`DROP ROLE "${other}", "${other}2"`);
  });

  test('is never taken for ready by a second attempt when the first could not rebuild it', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const other = `${bed.role}_other`;
    await source.exec(`CREATE ROLE "${other}"`);
    const client = await bed.connect();
    await client.query(`SET ROLE "${other}"`);
    const failures = [expect.stringContaining(`role "${other}" does not exist`)];
    expect((await bed.traffic.prepare('target')).failures).toEqual(failures);
    expect((await bed.traffic.prepare('target')).failures).toEqual(failures);
    const paused = await bed.traffic.pause({ reason: 'test', leaseMs: 10_000, drainTimeoutMs: 5_000 });
    expect(paused).toMatchObject({ drained: false, obstacles: [{ what: failures[0] }] });
    await bed.traffic.resume('source', 0);
    await target.exec(`CREATE ROLE "${other}"`);
    await bed.switchSides();
    expect((await client.query('SELECT current_user AS u')).rows).toEqual([{ u: other }]);
    await client.end();
  });

  test('keeps its settings when its new connection comes only in the pause', async ({ source, target }) => {
    await using gate = await startGate(target.address);
    const servers = { source: source.address, target: { ...target.address, port: gate.port } };
    await using bed = await startProxyBed(source, target, { servers });
    await bed.traffic.prepare('target');
    gate.shut();
    const client = await bed.connect();
    await client.query("SET application_name = 'kept'");
    // It is known what the session holds, and there is no connection yet to give it to.
    expect((await bed.traffic.pause({ ...PAUSE, drainTimeoutMs: 500 })).drained).toBe(true);
    gate.open();
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect((await client.query('SHOW application_name')).rows).toEqual([{ application_name: 'kept' }]);
    expect(await major(client)).toBe('16');
    await client.end();
  });

  test('moves without having been prepared', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query("SET work_mem = '6MB'");
    await bed.traffic.resume('target', 1);
    expect(await major(client)).toBe('16');
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '6MB' }]);
    await client.end();
  });

  test('is an obstacle while it has a temporary table', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query('CREATE TEMP TABLE mine (a int)');
    const { obstacles } = await bed.traffic.prepare('target');
    expect(obstacles).toEqual([
      {
        pid: expect.any(Number),
        user: bed.role,
        what: 'temporary tables: mine',
        query: 'CREATE TEMP TABLE mine (a int)',
      },
    ]);
    const paused = await bed.traffic.pause({ reason: 'test', leaseMs: 5_000, drainTimeoutMs: 1_000 });
    expect(paused.drained).toBe(false);
    await bed.traffic.resume('source', 0);
    expect((await client.query('SELECT count(*)::int AS n FROM mine')).rows).toEqual([{ n: 0 }]);
    await client.query('DROP TABLE mine');
    await bed.switchSides();
    await client.end();
  });

  test('is an obstacle also where it is younger than the preparation', async ({ source, target }) => {
    await using gate = await startGate(target.address);
    await using bed = await startProxyBed(source, target, {
      servers: { source: source.address, target: { ...target.address, port: gate.port } },
    });
    await bed.traffic.prepare('target');
    // Its connection to the other side is on its way for as long as the test takes.
    gate.shut();
    const client = await bed.connect();
    await client.query('CREATE TEMP TABLE scratch (a int)');
    const paused = await bed.traffic.pause({ ...PAUSE, drainTimeoutMs: 1_000 });
    expect(paused).toMatchObject({
      drained: false,
      obstacles: [{ what: expect.stringContaining('scratch') }],
    });
    gate.open();
    await bed.traffic.resume('source', 0);
    await client.query('SELECT * FROM scratch');
    await client.end();
  });

  test('is an obstacle where it was never prepared, too', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query('CREATE TEMP TABLE scratch (a int)');
    const { obstacles } = await bed.traffic.pause(PAUSE);
    expect(obstacles).toMatchObject([{ what: expect.stringContaining('scratch') }]);
    await bed.traffic.resume('source', 0);
    await client.end();
  });

  test('is an obstacle while it has other things that only its server knows', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const obstacle = async () => (await bed.traffic.prepare('target')).obstacles.map(({ what }) => what);
    await client.query("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    await client.query('CREATE TYPE pg_temp.pair AS (a int); CREATE DOMAIN pg_temp.small AS int');
    expect(await obstacle()).toEqual(['temporary functions or types: f, pair, small']);
    await client.query('DROP FUNCTION pg_temp.f(); DROP TYPE pg_temp.pair; DROP DOMAIN pg_temp.small');
    await client.query('DECLARE c CURSOR WITH HOLD FOR SELECT 1');
    expect(await obstacle()).toEqual(['cursors WITH HOLD: c']);
    await client.query('CLOSE c');
    expect(await obstacle()).toEqual([]);
    await client.query('PREPARE U&"\\00e4" AS SELECT 1; SELECT 2');
    expect(await obstacle()).toEqual(['statements of PREPARE that cannot be told from others: ä']);
    await client.query('DEALLOCATE ä; PREPARE Ärger AS SELECT 3; PREPARE b AS SELECT 4');
    expect(await obstacle()).toEqual([]);
    await bed.switchSides();
    expect((await client.query('EXECUTE Ärger')).rows).toEqual([{ '?column?': 3 }]);
    await client.end();
  });

  test('with a temporary table may go on in the pause until it lets go, where that is the policy', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target, { immovable: 'wait' });
    const [client, other] = [await bed.connect(), await bed.connect()];
    await client.query('CREATE TEMP TABLE mine (a int)');
    expect((await bed.traffic.prepare('target')).obstacles).toEqual([]);
    const pausing = bed.traffic.pause({ reason: 'test', leaseMs: 20_000, drainTimeoutMs: 15_000 });
    await until('the pause', async () => ((await bed.traffic.observe()).paused ? true : undefined), {
      timeoutMs: 5_000,
    });
    const held = major(other);
    await client.query('INSERT INTO mine VALUES (1)');
    await client.query('BEGIN');
    expect((await client.query('SELECT a FROM mine')).rows).toEqual([{ a: 1 }]);
    await client.query('COMMIT');
    await client.query('DROP TABLE mine');
    expect(await pausing).toEqual({ drained: true, obstacles: [] });
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect([await held, await major(client)]).toEqual(['16', '16']);
    for (const each of [client, other]) await each.end();
  });

  test('that does not let go in time has not drained, and goes on', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target, { immovable: 'wait' });
    const client = await bed.connect();
    await client.query('CREATE TEMP TABLE mine (a int)');
    await bed.traffic.prepare('target');
    const paused = await bed.traffic.pause({ reason: 'test', leaseMs: 20_000, drainTimeoutMs: 300 });
    expect(paused).toMatchObject({ drained: false, obstacles: [{ what: 'temporary tables: mine' }] });
    await bed.traffic.resume('source', 0);
    expect((await client.query('SELECT count(*)::int AS n FROM mine')).rows).toEqual([{ n: 0 }]);
    await client.end();
  });

  test('with a temporary table is ended at the switch, where that is the policy', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target, { immovable: 'terminate' });
    const [client, other] = [await bed.connect(), await bed.connect()];
    const ended = new Promise<unknown>((resolve) => client.once('error', resolve));
    await client.query('CREATE TEMP TABLE mine (a int)');
    await bed.switchSides();
    expect(await ended).toMatchObject({ code: '57P01', message: expect.stringContaining('mine') });
    expect(await major(other)).toBe('16');
    await other.end();
  });

  test('keeps a prepared statement whose Close was passed over after an error', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = rawConnection(client);
    const parsed = ready(connection);
    connection.parse({ name: 'kept', text: 'SELECT 42' });
    connection.sync();
    await parsed;
    const failed = ready(connection);
    connection.parse({ name: '', text: 'SELECT nonsense' });
    connection.close({ type: 'S', name: 'kept' });
    connection.sync();
    await failed;
    await bed.switchSides();
    const row = new Promise((resolve) => connection.once('dataRow', resolve));
    const done = ready(connection);
    connection.bind({ statement: 'kept' });
    connection.execute({});
    connection.sync();
    expect(await row).toMatchObject({ fields: ['42'] });
    await done;
    await client.end();
  });

  test('keeps an unnamed statement that it executes again later', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = await unnamed(client, "SELECT 'unnamed ' || $1");
    await bed.switchSides();
    const row = new Promise((resolve) => connection.once('dataRow', resolve));
    const done = ready(connection);
    connection.bind({ values: ['one'] });
    connection.execute({});
    connection.sync();
    expect(await row).toMatchObject({ fields: ['unnamed one'] });
    await done;
    await client.end();
  });

  test('keeps what an unnamed statement leaves behind that it parsed before it was asked', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = await unnamed(client, 'SELECT pg_advisory_lock($1)');
    await bed.traffic.prepare('target');
    const done = ready(connection);
    connection.bind({ values: ['4711'] });
    connection.execute({});
    connection.sync();
    await done;
    expect((await bed.traffic.pause(PAUSE)).drained).toBe(true);
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect(
      await target.rows("SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"),
    ).toHaveLength(1);
    await client.end();
  });

  test('has its unnamed statement again before a message that follows others at once', async ({
    source,
    target,
  }) => {
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const connection = await unnamed(client, "SELECT 'unnamed ' || $1");
    await bed.switchSides();
    const row = new Promise((resolve) => connection.once('dataRow', resolve));
    const { stream } = connection as unknown as { stream: net.Socket };
    stream.cork();
    connection.sync();
    connection.bind({ values: ['one'] });
    connection.execute({});
    connection.sync();
    stream.uncork();
    expect(await row).toMatchObject({ fields: ['unnamed one'] });
    await client.end();
  });

  test('keeps settings of its own making however it came by them', async ({ source, target }) => {
    for (const side of [source, target]) {
      await side.exec(`CREATE FUNCTION log_in(who text) RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN PERFORM set_config('app.who', who, false); SET app.since = 'today'; END $$`);
    }
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const other = await bed.connect();
    await client.query("SELECT SET_CONFIG('app.loud', 'x', false)");
    await client.query("SELECT log_in('me')");
    await bed.traffic.prepare('target');
    // A transaction's own leaves an empty one.
    await client.query("BEGIN; SET LOCAL app.late = '7'; COMMIT");
    await other.query("BEGIN; SET LOCAL app.since = '7'; COMMIT");
    await bed.switchSides();
    expect(
      (
        await client.query(`SELECT current_setting('app.loud', true) AS loud, current_setting('app.late') AS late,
          current_setting('app.who', true) AS who, current_setting('app.since', true) AS since`)
      ).rows,
    ).toEqual([{ loud: 'x', late: '', who: 'me', since: 'today' }]);
    expect((await other.query("SELECT current_setting('app.since') AS since")).rows).toEqual([{ since: '' }]);
    await client.end();
    await other.end();
  });

  test('is not given settings of an extension that it has not made', async ({ source, target }) => {
    await using bed = await startProxyBed(source, target);
    for (const side of [source, target]) {
      await side.exec(`CREATE FUNCTION conflict() RETURNS text LANGUAGE plpgsql
        AS $$ BEGIN RETURN current_setting('plpgsql.variable_conflict'); END $$;
        ALTER ROLE ${bed.role} NOSUPERUSER; ALTER ROLE ${bed.role} SET session_preload_libraries = 'plpgsql'`);
    }
    const client = await bed.connect();
    await bed.switchSides();
    expect((await client.query('SELECT conflict()')).rows).toEqual([{ conflict: 'error' }]);
    await client.end();
  });

  test('does not get back what it has let go of since it was prepared', async ({ source, target }) => {
    await using gate = await startGate(target.address);
    const servers = { source: source.address, target: { ...target.address, port: gate.port } };
    await using bed = await startProxyBed(source, target, { servers });
    const client = await bed.connect();
    const hold = (letter: string) =>
      client.query(`SET work_mem = '9MB'; SET app.tenant = '7'; LISTEN "${letter}"; PREPARE p AS SELECT '${letter}';
        SELECT pg_advisory_lock(${letter.codePointAt(0)})`);
    const letGo = 'RESET ALL; UNLISTEN *; DEALLOCATE p; SELECT pg_advisory_unlock_all()';
    await hold('a');
    await bed.traffic.prepare('target');
    await client.query(letGo);
    await hold('b');
    await client.query('RESET work_mem');
    await bed.traffic.prepare('target');
    await client.query(letGo);
    // In the pause there is no time for another connection.
    gate.shut();
    expect(await bed.traffic.pause(PAUSE)).toEqual({ drained: true, obstacles: [] });
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect(await major(client)).toBe('16');
    expect(
      (
        await client.query(`SELECT current_setting('work_mem') AS memory, current_setting('app.tenant', true) AS tenant,
          ARRAY(SELECT pg_listening_channels()) AS channels,
          (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`)
      ).rows,
    ).toEqual([{ memory: '4MB', tenant: '', channels: [], locks: 0 }]);
    await client.query("PREPARE p AS SELECT 'c'");
    await client.end();
  });

  test('that lost its new connection before the pause gets another, or stays where it is', async ({
    source,
    target,
  }) => {
    await using gate = await startGate(target.address);
    const servers = { source: source.address, target: { ...target.address, port: gate.port } };
    const limits = { connectTimeoutMs: 500 };
    await using bed = await startProxyBed(source, target, { servers, limits });
    const client = await bed.connect();
    const isLost = async () => {
      const control = new ControlClient(bed.proxy.controlAddress);
      const { standby } = await control.call<ProxyState>('GET', '/v1/state', 5_000);
      return standby?.ready === 0 ? true : undefined;
    };
    const lose = async () => {
      await bed.traffic.prepare('target');
      gate.cut();
      await until('the loss of the connection', isLost, { timeoutMs: 10_000 });
    };
    await lose();
    gate.shut();
    const refused = await bed.traffic.pause(PAUSE);
    expect(refused).toMatchObject({ drained: false, obstacles: [{ user: bed.role }] });
    await bed.traffic.resume('source', 0);
    expect(await major(client)).toBe('15');
    gate.open();
    await lose();
    expect((await bed.traffic.pause(PAUSE)).drained).toBe(true);
    await bed.traffic.committing('target', 1);
    await bed.traffic.resume('target', 1);
    expect(await major(client)).toBe('16');
    await client.end();
  });

  test('keeps the type OIDs it knows, where the other cluster has others', async ({ source, target }) => {
    await source.exec("CREATE TYPE mood AS ENUM ('fine', 'bad')");
    await target.exec(
      "CREATE TYPE filler AS (a int); CREATE TYPE other AS ENUM ('x'); CREATE TYPE mood AS ENUM ('fine', 'bad')",
    );
    await using bed = await startProxyBed(source, target);
    const { host, port, user, password, database } = bed.config;
    const settings = { host, port, user, password, database, max: 1, fetch_types: false };
    const connect = () => postgres(settings as postgres.Options<Record<string, never>>);
    const session = connect();
    const oidOf = async (side: Database) =>
      (await side.rows<{ oid: number }>("SELECT 'mood'::regtype::oid::int8 AS oid"))[0]?.oid ?? 0;
    const [known, there] = [await oidOf(source), await oidOf(target)];
    expect(there).not.toBe(known);
    // postgres.js names the parameter's type by its OID in Parse, and keeps the statement prepared.
    const echo = async (db: typeof session, mood: string, oid: number) => {
      const rows = await db`SELECT ${db.typed(mood as never, oid)} AS m, 1 AS n`;
      return { m: rows[0]?.m as string, type: rows.columns[0]?.type };
    };
    const later = async (db: typeof session, oid: number) => {
      const rows = await db`SELECT ${db.typed('bad' as never, oid)} AS later`;
      return rows.columns[0]?.type;
    };
    expect(await echo(session, 'fine', known)).toEqual({ m: 'fine', type: known });
    await bed.switchSides();
    expect(await echo(session, 'bad', known)).toEqual({ m: 'bad', type: known });
    expect(await later(session, known)).toBe(known);
    const newcomer = connect();
    expect(await echo(newcomer, 'fine', there)).toEqual({ m: 'fine', type: there });
    await bed.switchSides();
    expect(await echo(session, 'fine', known)).toEqual({ m: 'fine', type: known });
    expect(await echo(newcomer, 'bad', there)).toEqual({ m: 'bad', type: there });
    expect(await later(newcomer, there)).toBe(there);
    await Promise.all([session.end(), newcomer.end()]);
  });

  test('sends arrays in binary form that name their type as it was', async ({ source, target }) => {
    await source.exec("CREATE TYPE mood AS ENUM ('fine', 'bad')");
    await target.exec("CREATE TYPE other AS ENUM ('x'); CREATE TYPE mood AS ENUM ('fine', 'bad')");
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    const oid = (await source.rows<{ oid: number }>("SELECT 'mood'::regtype::oid::int8 AS oid"))[0]?.oid ?? 0;
    // As array_send writes it: dimensions, whether there are nulls, the element type; size and first index; elements.
    const moods = (...labels: readonly string[]) =>
      Buffer.concat([
        ...[1, 0, oid, labels.length, 1].map(int32),
        ...labels.flatMap((label) => [int32(label.length), Buffer.from(label)]),
      ]);
    // node-postgres sends a Buffer in binary form, and asks nothing about its statements' parameters.
    const ask = async (...labels: readonly string[]) => {
      const values = [moods(...labels), 1, moods(...labels)];
      const text = 'SELECT $1::mood[]::text AS moods, $2::int AS n, $3::bytea AS bytes';
      return (await client.query({ name: 'moods', text, values })).rows;
    };
    for (const labels of [['fine'], ['bad', 'fine'], [], ['bad']]) {
      const answer = { moods: `{${labels.join(',')}}`, n: 1, bytes: moods(...labels) };
      expect(await ask(...labels)).toEqual([answer]);
      await bed.switchSides();
      expect(await ask(...labels)).toEqual([answer]);
    }
    await client.end();
  });

  test('copies a large statement no more often than a small one, where its types are translated', async ({
    source,
    target,
  }) => {
    for (const [side, first] of [
      [source, ''],
      [target, 'CREATE TYPE filler AS (a int);'],
    ] as const)
      await side.exec(`${first} CREATE TYPE mood AS ENUM ('fine')`);
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await bed.switchSides();
    const concat = vi.spyOn(Buffer, 'concat');
    try {
      const text = `SELECT length('${'x'.repeat(8_000_000)}') AS n`;
      expect((await client.query({ text, name: 'large' })).rows).toEqual([{ n: 8_000_000 }]);
      const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
      expect(copied).toBeLessThan(3 * text.length);
    } finally {
      concat.mockRestore();
    }
    await client.end();
  });

  test('stays where it is while a prepared statement cannot be made on the other side', async ({
    source,
    target,
  }) => {
    for (const side of [source, target]) await side.exec('CREATE TABLE locked (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query('SET lock_timeout = 50');
    await bed.traffic.prepare('target');
    const statement = { name: 'late', text: 'SELECT a FROM locked' };
    await client.query(statement);
    await target.exec('BEGIN; LOCK locked');
    expect((await bed.traffic.prepare('target')).failures).toHaveLength(1);
    const { drained, obstacles } = await bed.traffic.pause(PAUSE);
    expect(drained).toBe(false);
    expect(obstacles[0]?.what).toContain('prepared statement "late": canceling statement');
    await target.exec('ROLLBACK');
    await bed.switchSides();
    expect((await client.query(statement)).rows).toEqual([]);
    await client.end();
  });

  test('is not held back by a prepared statement that works nowhere any more', async ({ source, target }) => {
    await source.exec('CREATE TABLE gone (a int)');
    await using bed = await startProxyBed(source, target);
    const client = await bed.connect();
    await client.query({ name: 'stale', text: 'SELECT * FROM gone' });
    expect((await bed.traffic.prepare('target')).failures).toEqual([
      expect.stringContaining('relation "gone" does not exist'),
    ]);
    await source.exec('DROP TABLE gone');
    await bed.switchSides();
    await client.query('SELECT 1');
    await client.end();
  });
});
