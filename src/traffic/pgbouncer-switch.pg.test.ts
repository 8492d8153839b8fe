/** Against a real PgBouncer, where one is installed. */

import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type pg from 'pg';
import { describe, expect } from 'vitest';
import { major, startBouncer } from '../../test/support/bouncer-bed.ts';
import { test } from '../../test/support/fixture.ts';
import { hasPgBouncer } from '../../test/support/pgbouncer.ts';
import { withSameDatabases } from '../../test/support/several.ts';
import { until } from '../base/async.ts';
import { checkTraffic } from '../migration/check-traffic.ts';
import { openPgBouncerSwitch } from './pgbouncer-switch.ts';

const PAUSE = { reason: 'test', leaseMs: 20_000, drainTimeoutMs: 5_000 };

describe.skipIf(!hasPgBouncer)('PgBouncer', () => {
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

  test('stays where another run has moved it while this one stood still, whether that goes back or on', async ({
    source,
    target,
  }) => {
    await using bouncer = await startBouncer(source, target);
    const { traffic: frozen } = bouncer;
    const other = bouncer.open();
    const client = await bouncer.client();
    await frozen.prepare('target');
    await frozen.pause(PAUSE);
    await other.prepare('target');
    await other.pause(PAUSE);
    await other.resume('target', 1);
    await expect(frozen.resume('source', 0)).rejects.toMatchObject({ code: 'epoch_moved' });
    expect(await major(client)).toBe(16);
    await other.pause(PAUSE);
    await other.resume('source', 2);
    await expect(frozen.resume('target', 1)).rejects.toMatchObject({ code: 'epoch_moved' });
    expect(await major(client)).toBe(15);
    await client.end();
  });

  test('goes on where another one is not there any more', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { bouncers, database } = bouncer.pgbouncer;
    const gone = bouncers.map(({ console, configFile }) => ({
      console: { ...console, port: 1 },
      configFile,
    }));
    const servers = { source: source.address, target: target.address };
    const traffic = openPgBouncerSwitch({ bouncers: [...gone, ...bouncers], database, servers });
    await bouncer.traffic.pause(PAUSE);
    await expect(traffic.resume('source', 0)).rejects.toMatchObject({ code: 'proxy_unreachable' });
    expect((await bouncer.traffic.observe()).paused).toBe(false);
  });

  test('in a transaction does not drain', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { traffic } = bouncer;
    const client = await bouncer.client();
    await client.query('BEGIN');
    const obstacle = {
      pid: expect.any(Number),
      user: `${source.name}_bouncer`,
      what: 'a transaction is open',
      query: undefined,
    };
    const paused = await traffic.pause({ ...PAUSE, drainTimeoutMs: 200 });
    expect(paused).toEqual({ drained: false, obstacles: [obstacle] });
    await traffic.resume('source', 0);
    await client.query('COMMIT');
    expect(await major(client)).toBe(15);
    await client.end();
  });

  test('holds and switches several databases together', async ({ source, target }) => {
    await withSameDatabases({ source, target }, async ({ name }) => {
      await using bouncer = await startBouncer(source, target, 'transaction', [name]);
      const { traffic } = bouncer;
      const clients = [await bouncer.client(), await bouncer.client(name)];
      await traffic.prepare('target');
      expect((await traffic.pause(PAUSE)).drained).toBe(true);
      const waiting = clients.map(major);
      await traffic.committing('target', 1);
      await traffic.resume('target', 1);
      expect(await Promise.all(waiting)).toEqual([16, 16]);
      expect(await traffic.observe()).toMatchObject({ activeSide: 'target', epoch: 1, paused: false });
      const { rows } = await (clients[1] as pg.Client).query('SELECT current_database() AS name');
      expect(rows).toEqual([{ name }]);
      await Promise.all(clients.map((client) => client.end()));
    });
  });

  test.skipIf(process.getuid?.() !== 0)(
    'reads its file again, whoever replaced it',
    async ({ source, target }) => {
      await using bouncer = await startBouncer(source, target);
      const { traffic, configFile } = bouncer;
      // As packages install it: nobody but PgBouncer's own account and group may read it.
      const nobody = 65_534;
      await chown(configFile, nobody, nobody);
      await chmod(configFile, 0o640);
      const client = await bouncer.client();
      await traffic.pause(PAUSE);
      await traffic.committing('target', 1);
      const umask = process.umask(0o077);
      await traffic.resume('target', 1).finally(() => process.umask(umask));
      expect(await major(client)).toBe(16);
      expect(await stat(configFile)).toMatchObject({ uid: nobody, gid: nobody, mode: 0o100640 });
      await client.end();
    },
  );

  test('that does not take the new address lets nobody go to the old side', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    const { traffic, configFile } = bouncer;
    const client = await bouncer.client();
    await traffic.pause(PAUSE);
    await traffic.committing('target', 1);
    const sound = await readFile(configFile, 'utf8');
    await writeFile(configFile, `this is no line of such a file\n${sound}`);
    const waiting = major(client);
    await expect(traffic.resume('target', 1)).rejects.toMatchObject({ code: 'pgbouncer_config_refused' });
    expect(await traffic.observe()).toMatchObject({ activeSide: 'source', paused: true });
    await writeFile(configFile, sound);
    await traffic.resume('target', 1);
    expect(await waiting).toBe(16);
    await client.end();
  });

  test('whose file cannot be replaced is refused before anything is paused', async ({ source, target }) => {
    await using bouncer = await startBouncer(source, target);
    await mkdir(`${bouncer.configFile}.pgglide`);
    await expect(bouncer.traffic.prepare('target')).rejects.toMatchObject({
      code: 'pgbouncer_config_unreadable',
      exitCode: 3,
    });
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
