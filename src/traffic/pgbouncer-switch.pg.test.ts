/** Against a real PgBouncer, where one is installed. */

import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import { checkTraffic } from '../migration/check-traffic.ts';
import { openPgBouncerSwitch } from './pgbouncer-switch.ts';

const PAUSE = { reason: 'test', leaseMs: 20_000, drainTimeoutMs: 5_000 };

function isInstalled(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startBouncer(source: Database, target: Database, poolMode = 'transaction') {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-bouncer-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const { user, password = '' } = source.address;
  const configFile = join(folder, 'pgbouncer.ini');
  const role = `${source.name}_bouncer`;
  for (const side of [source, target]) await side.exec(`CREATE ROLE "${role}" LOGIN PASSWORD 'same'`);
  await writeFile(join(folder, 'users.txt'), `"${user}" "${password}"\n`);
  await writeFile(
    configFile,
    `[databases]
shop = host=${source.address.host} port=${source.address.port} dbname=${source.name} user=${role} password=same
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = plain
auth_file = ${join(folder, 'users.txt')}
admin_users = ${user}
pool_mode = ${poolMode}
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
`,
  );
  const asRoot = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn('pgbouncer', ['-q', ...asRoot, configFile], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const client = async () => {
    const connection = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'shop' });
    connection.on('error', () => undefined);
    await connection.connect();
    return connection;
  };
  await until(
    'PgBouncer',
    async () => {
      const probe = await client().catch(() => undefined);
      await probe?.end();
      return probe === undefined ? undefined : true;
    },
    { timeoutMs: 10_000 },
  );
  const console = { ...source.address, host: '127.0.0.1', port, database: 'pgbouncer' };
  return {
    client,
    traffic: openPgBouncerSwitch({
      bouncers: [{ console, configFile }],
      database: 'shop',
      servers: { source: source.address, target: target.address },
    }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await target.exec(`DROP ROLE "${role}"`);
      await rm(folder, { recursive: true });
    },
  };
}

const major = async (client: pg.Client) =>
  (await client.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows[0]?.v;

describe.skipIf(!isInstalled())('PgBouncer', () => {
  test('is switched while its clients wait, there and back', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { traffic } = bouncer;
    const client = await bouncer.client();
    expect(await traffic.observe()).toMatchObject({ activeSide: 'source', epoch: 0, paused: false });
    await traffic.prepare('target');
    expect(await traffic.pause(PAUSE)).toEqual({ drained: true, obstacles: [] });
    expect((await traffic.observe()).paused).toBe(true);
    const waiting = major(client);
    await until('the request to wait', async () => ((await traffic.observe()).paused ? true : undefined), {
      timeoutMs: 5_000,
    });
    const { pauseMs } = await traffic.resume('source', 0);
    expect(pauseMs).toBeGreaterThan(0);
    expect(await waiting).toBe(15);
    await traffic.pause(PAUSE);
    await traffic.committing('target', 1);
    await traffic.resume('target', 1);
    expect(await traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 1, paused: false });
    expect(await major(client)).toBe(16);
    await traffic.pause(PAUSE);
    await traffic.resume('source', 2);
    expect(await major(client)).toBe(15);
    await client.end();
  });

  test('in a transaction does not drain, and the lease lets traffic go', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { traffic } = bouncer;
    const client = await bouncer.client();
    await client.query('BEGIN');
    const paused = await traffic.pause({ ...PAUSE, leaseMs: 600, drainTimeoutMs: 200 });
    expect(paused).toEqual({
      drained: false,
      obstacles: [
        {
          pid: expect.any(Number),
          user: `${source.name}_bouncer`,
          what: 'a transaction is open',
          query: undefined,
        },
      ],
    });
    await until('the end of the lease', async () => ((await traffic.observe()).paused ? undefined : true), {
      timeoutMs: 5_000,
    });
    await client.query('COMMIT');
    expect(await major(client)).toBe(15);
    await client.end();
  });

  test('with session pools is refused', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target, 'session');
    const refusal = { code: 'pgbouncer_session_pool', exitCode: 3 };
    await expect(bouncer.traffic.observe()).rejects.toMatchObject(refusal);
    await expect(bouncer.traffic.prepare('target')).rejects.toMatchObject(refusal);
    const [finding] = await checkTraffic(() => bouncer.traffic);
    expect(finding).toMatchObject({ id: 'PGG201', severity: 'blocker', blocks: 'cutover' });
  });
});
