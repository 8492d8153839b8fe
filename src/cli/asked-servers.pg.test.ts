/** What the proxy learns from a target of any kind: there is no migration, this is its active side, or nothing. */

import net from 'node:net';
import { expect, onTestFinished, vi } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { silenceAfter } from '../../test/support/silence.ts';
import { withDeadline } from '../base/async.ts';
import { Connection } from '../postgres/connection.ts';
import { ident, literal, sql } from '../postgres/sql.ts';
import { installFile, missingFiles } from '../state/install.ts';
import { createMigration, saveIntent, savePlan } from '../state/migration-row.ts';
import { takeRunnerLock } from '../state/runner-lock.ts';
import { AskedServers } from './asked-servers.ts';

/** Far less than a client's log-in or a held request may take; without a word of ours it is hours. */
const soon = <T>(work: Promise<T>): Promise<T> => withDeadline('the answer', 15_000, work);

const TABLE = `CREATE SCHEMA pgglide; CREATE TABLE pgglide.migration (name text, active_side text, epoch bigint)`;

test('a target says which side is active, or that there is no migration', async ({ source, target }) => {
  const servers = { source: source.address, target: target.address };
  await using asked = new AskedServers(servers, 'shop');
  expect(await asked.activeSide(), 'an empty database').toBeUndefined();
  await target.exec(TABLE);
  expect(await asked.activeSide(), 'a schema without a migration').toBeUndefined();
  await target.exec(`INSERT INTO pgglide.migration VALUES ('shop', 'target', 3), ('later', 'source', 4)`);
  expect(await asked.activeSide()).toEqual({ side: 'target', epoch: 3 });

  await using missing = new AskedServers(
    { ...servers, target: { ...target.address, database: `${target.name}_not_made` } },
    'shop',
  );
  expect(await missing.activeSide(), 'a server without the database').toBeUndefined();
});

test('a target that cannot be asked is not one without a migration', async ({ source, target }) => {
  await target.exec(`${TABLE}; INSERT INTO pgglide.migration VALUES ('shop', 'target', 1)`);
  const servers = { source: source.address, target: target.address };
  await using other = new AskedServers(servers, 'another');
  await expect(other.activeSide()).rejects.toThrow('It knows the migration "shop", and not "another"');
  await using down = new AskedServers({ ...servers, target: { ...target.address, port: 1 } }, 'shop');
  await expect(down.activeSide()).rejects.toMatchObject({ code: 'server_unreachable' });

  const role = `${target.name}_blind`;
  await target.connection.script(sql`CREATE ROLE ${ident(role)} LOGIN PASSWORD ${literal('p')}`);
  await using blind = new AskedServers(
    { ...servers, target: { ...target.address, user: role, password: 'p' } },
    'shop',
  );
  await expect(blind.activeSide()).rejects.toMatchObject({ code: '42501' });
  await blind[Symbol.asyncDispose]();
  await target.connection.script(sql`DROP ROLE ${ident(role)}`);
});

test('a connection that has died without a word is replaced', async ({ source, target }) => {
  await target.exec(`${TABLE}; INSERT INTO pgglide.migration VALUES ('shop', 'target', 3)`);
  await using before = await silenceAfter('active_side', target.address, 'pass');
  await using alsoBefore = await silenceAfter('rolpassword', source.address, 'pass');
  await using asked = new AskedServers(
    {
      source: { ...source.address, port: alsoBefore.port },
      target: { ...target.address, port: before.port },
    },
    'shop',
  );
  expect(await soon(asked.activeSide())).toEqual({ side: 'target', epoch: 3 });
  const users = ['nobody', 'nobody else'].map((user) => soon(asked.verifierOf(user, 'source')));
  expect(await Promise.all(users)).toEqual([undefined, undefined]);
  expect([before.hasBegun, alsoBefore.hasBegun]).toEqual([true, true]);
});

test('a connection that the network has forgotten, and cuts at the next question, is replaced', async ({
  source,
  target,
}) => {
  const flows = new Set<net.Socket>();
  const forgotten = new Set<net.Socket>();
  const { host, port: far } = source.address;
  const relay = net.createServer((near) => {
    const server = net.connect({ host, port: far });
    for (const socket of [near, server]) socket.on('error', () => undefined);
    near.once('close', () => server.destroy());
    server.pipe(near);
    near.on('data', (chunk) => {
      if (forgotten.has(near)) near.resetAndDestroy();
      else server.write(chunk);
    });
    flows.add(near);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void relay.close());
  const { port } = relay.address() as net.AddressInfo;
  const servers = { source: { ...source.address, port }, target: target.address };
  await using asked = new AskedServers(servers, 'shop');
  await asked.verifierOf('nobody', 'source');
  for (const flow of flows) forgotten.add(flow);
  expect(await asked.verifierOf('nobody else', 'source')).toBeUndefined();
});

test('a server that accepts connections and says nothing is an error, not a wait', async ({
  source,
  target,
}) => {
  await target.exec(`${TABLE}; INSERT INTO pgglide.migration VALUES ('shop', 'target', 3)`);
  await using before = await silenceAfter('active_side', target.address, 'are silent too');
  await using asked = new AskedServers(
    {
      source: source.address,
      target: { ...target.address, port: before.port, connectTimeoutMs: 1_000 },
    },
    'shop',
  );
  await expect(soon(asked.activeSide())).rejects.toMatchObject({ code: 'server_unreachable' });
});

test('a runner that is silent for longer than it may is ended, and nobody who came later', async ({
  source,
  target,
}) => {
  await beginSwitch(source, target);
  const servers = { source: source.address, target: target.address };
  await using runner = await Connection.open(target.address, { purpose: 'runner' });
  await takeRunnerLock(runner, 'shop');
  const isAlive = () => runner.one<{ alive: boolean }>(sql`SELECT true AS alive`);

  // It was silent once, and came back: it has all its time again.
  await using asked = new AskedServers(servers, 'shop');
  asked.isServing = true;
  await expect(asked.activeSide(0)).rejects.toThrow('A switchover is under way');
  const now = performance.now();
  using later = vi.spyOn(performance, 'now').mockReturnValue(now + 60_000);
  await expect(asked.activeSide(0)).rejects.toThrow('A switchover is under way');
  later.mockRestore();
  expect(await isAlive()).toEqual({ alive: true });

  // Another proxy that settles, say: its session is younger than the silence.
  await using patient = new AskedServers(servers, 'shop', 600_000);
  patient.isServing = true;
  await expect(patient.activeSide(3_600_000)).rejects.toThrow('A switchover is under way');
  expect(await isAlive()).toEqual({ alive: true });

  await using impatient = new AskedServers(servers, 'shop', 1);
  impatient.isServing = true;
  expect(await impatient.activeSide(2)).toEqual({ side: 'source', epoch: 0 });
  await expect(isAlive()).rejects.toThrow();
});

/** Before its commit point. */
async function beginSwitch(source: Database, target: Database): Promise<void> {
  for (const [side, { connection }] of Object.entries({ source, target }) as [
    'source' | 'target',
    Database,
  ][])
    for (const file of await missingFiles(connection, side)) await installFile(connection, file);
  const { connection } = target;
  await createMigration(connection, {
    name: 'shop',
    sourceSystemIdentifier: '1',
    targetSystemIdentifier: '2',
  });
  await savePlan(connection, 'shop', { tables: [], sequences: [], notCarried: [] });
  const startedAt = new Date().toISOString();
  await saveIntent(connection, 'shop', {
    direction: 'cutover',
    from: 'source',
    to: 'target',
    epoch: 1,
    startedAt,
  });
}
