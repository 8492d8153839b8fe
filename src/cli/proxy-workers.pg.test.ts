/** One port, several processes: they pause, switch and resume as one, and one that dies takes only its own clients along. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { switchSides } from '../../test/support/proxy-bed.ts';
import { until, withDeadline } from '../base/async.ts';
import { ident, literal, sql } from '../postgres/sql.ts';
import type { RunningProxy } from '../proxy/start-proxy.ts';
import { installFile, missingFiles } from '../state/install.ts';
import { openProxySwitch } from '../traffic/proxy-switch.ts';
import { runProxy } from './proxy-runner.ts';

const PASSWORD = 'of the test';
const WAIT = { timeoutMs: 20_000 };

async function startWorkers(source: Database, target: Database) {
  const role = `${source.name}_app`;
  await source.connection.script(
    sql`CREATE ROLE ${ident(role)} LOGIN SUPERUSER PASSWORD ${literal(PASSWORD)}`,
  );
  const { verifier } = await source.connection.one<{ verifier: string }>(
    sql`SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = ${role}`,
  );
  await target.connection.script(
    sql`CREATE ROLE ${ident(role)} LOGIN SUPERUSER PASSWORD ${literal(verifier)}`,
  );
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-workers-'));
  const stop = new AbortController();
  let serving: Promise<void> | undefined;
  const proxy = await new Promise<Pick<RunningProxy, 'port' | 'controlAddress'>>((resolve, reject) => {
    serving = runProxy({
      listen: '127.0.0.1:0',
      control: `unix:${join(folder, 'control')}`,
      migration: source.name,
      source: source.address,
      target: target.address,
      workers: 2,
      signal: stop.signal,
      onReady: resolve,
    });
    serving.catch(reject);
  });
  const traffic = openProxySwitch([proxy.controlAddress], 'test');
  return {
    traffic,
    port: proxy.port,
    async connect() {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: proxy.port,
        user: role,
        password: PASSWORD,
        database: source.name,
      });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    async [Symbol.asyncDispose]() {
      await traffic[Symbol.asyncDispose]();
      stop.abort();
      await serving;
      await rm(folder, { recursive: true });
      await target.connection.script(sql`DROP OWNED BY ${ident(role)}; DROP ROLE ${ident(role)}`);
    },
  };
}

/** Pids of this process's children that serve. */
const workerPids = (): number[] =>
  execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('proxy-worker'))
    .map((line) => Number.parseInt(line, 10));

const major = async (client: pg.Client): Promise<number> =>
  (await client.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows[0]?.v;

test('ten switches under work in both workers: no error, every write exactly once', async ({
  source,
  target,
}) => {
  for (const side of [source, target]) await side.exec('CREATE TABLE tally (worker int, n int)');
  await using proxy = await startWorkers(source, target);
  expect(workerPids()).toHaveLength(2);
  let stop = false;
  const acknowledged: string[] = [];
  const work = Promise.all(
    [1, 2, 3, 4].map(async (id) => {
      const client = await proxy.connect();
      for (let n = 0; !stop; n++) {
        await client.query('INSERT INTO tally VALUES ($1, $2)', [id, n]);
        acknowledged.push(`${id}/${n}`);
      }
      await client.end();
    }),
  );
  for (let turn = 0; turn < 10; turn++) {
    const before = acknowledged.length;
    await until('work', async () => (acknowledged.length > before + 20 ? true : undefined), WAIT);
    const { waits } = await switchSides(proxy.traffic);
    expect(waits).toMatchObject({ sessionsMoved: 4, failedRequests: 0 });
  }
  stop = true;
  await work;
  const written = await Promise.all(
    [source, target].map((side) => side.rows<{ k: string }>("SELECT worker || '/' || n AS k FROM tally")),
  );
  expect(
    written
      .flat()
      .map(({ k }) => k)
      .sort(),
  ).toEqual(acknowledged.sort());
});

test('a cancel request finds the worker that has the session', async ({ source, target }) => {
  await using proxy = await startWorkers(source, target);
  const clients = [
    await proxy.connect(),
    await proxy.connect(),
    await proxy.connect(),
    await proxy.connect(),
  ];
  for (const client of clients) {
    const sleeping = client.query('SELECT pg_sleep(60)').catch((error: pg.DatabaseError) => error.code);
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    await until(
      'the query',
      async () =>
        (
          await source.rows(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(60)'",
          )
        ).length > 0
          ? true
          : undefined,
      WAIT,
    );
    // Whichever worker gets the request: node-postgres opens a connection of its own for it.
    const canceller = new pg.Client({ host: '127.0.0.1', port: client.port });
    const raw = (canceller as unknown as { connection: CancelConnection }).connection;
    raw.on('error', () => undefined);
    raw.on('connect', () => raw.cancel(processID, secretKey));
    raw.connect(client.port, '127.0.0.1');
    expect(await sleeping).toBe('57014');
  }
  for (const client of clients) await client.end();
});

interface CancelConnection {
  on(event: 'connect' | 'error', listener: () => void): void;
  connect(port: number, host: string): void;
  cancel(pid: number, secret: number): void;
}

test('a worker that dies is replaced, on the side of the others and held while they are', async ({
  source,
  target,
}) => {
  await using proxy = await startWorkers(source, target);
  await switchSides(proxy.traffic);
  const clients = [await proxy.connect(), await proxy.connect()];
  const ended = clients.map(
    (client) => new Promise<pg.Client>((resolve) => client.once('end', () => resolve(client))),
  );
  await proxy.traffic.pause({ reason: 'test', leaseMs: 30_000, drainTimeoutMs: 5_000 });
  const [victim] = workerPids();
  process.kill(victim as number, 'SIGKILL');
  const lost = await Promise.race(ended);
  const left = clients.find((client) => client !== lost) as pg.Client;
  await until(
    'a new worker',
    async () => (workerPids().length === 2 && !workerPids().includes(victim as number) ? true : undefined),
    WAIT,
  );
  // Several, so that the new worker gets some: all of them wait.
  const arriving = [1, 2, 3, 4].map(async () => {
    const client = await proxy.connect();
    const version = await major(client);
    await client.end();
    return version;
  });
  const held = major(left);
  expect((await proxy.traffic.observe()).paused).toBe(true);
  await proxy.traffic.committing('source', 2);
  await proxy.traffic.resume('source', 2);
  expect(await held).toBe(15);
  expect(await Promise.all(arriving)).toEqual([15, 15, 15, 15]);
  await left.end();
});

test('clients that are handed to workers which are just being killed are served by the next ones', async ({
  source,
  target,
}) => {
  await using proxy = await startWorkers(source, target);
  const killed = workerPids();
  // As in the moment of their end: what they are given nobody takes.
  for (const pid of killed) process.kill(pid, 'SIGSTOP');
  const clients = [1, 2, 3, 4].map(() => proxy.connect());
  const last = net.connect(proxy.port, '127.0.0.1');
  await once(last, 'connect');
  await nextTurn();
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  for (const client of await withDeadline('being served', 50_000, Promise.all(clients))) {
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  }
  last.destroy();
});

test('a worker that starts long after a killed cutover does not inherit its hold', async ({
  source,
  target,
}) => {
  for (const file of await missingFiles(target.connection, 'target'))
    await installFile(target.connection, file);
  await target.exec(`INSERT INTO pgglide.migration
      (name, phase, active_side, epoch, source_system_identifier, target_system_identifier)
    VALUES ('${source.name}', 'new', 'source', 0, '1', '2')`);
  await using proxy = await startWorkers(source, target);
  await proxy.traffic.pause({ reason: 'cutover', leaseMs: 500, drainTimeoutMs: 5_000 });
  await proxy.traffic.committing('target', 1);
  await target.exec(`UPDATE pgglide.migration SET active_side = 'target', epoch = 1`);
  // The tool is dead from here on: the row is asked, and later on the migration is completed.
  const isOver = async () => {
    const { activeSide, paused } = await proxy.traffic.observe();
    return activeSide === 'target' && !paused ? true : undefined;
  };
  await until('traffic on the target', isOver, WAIT);
  await target.exec('DROP SCHEMA pgglide CASCADE');
  const killed = workerPids();
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  const areNew = async () => {
    const pids = workerPids();
    return pids.length === 2 && !pids.some((pid) => killed.includes(pid)) ? true : undefined;
  };
  await until('new workers', areNew, WAIT);
  const client = await withDeadline('being served', 50_000, proxy.connect());
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  expect(await proxy.traffic.observe()).toMatchObject({ paused: false });
  await client.end();
});
