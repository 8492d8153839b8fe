import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import { PgglideError } from '../domain/errors.ts';
import { Connection } from './connection.ts';
import {
  advanceSlot,
  copySlot,
  createSlot,
  createSlotWithSnapshot,
  dropSlot,
  type SlotCreationOptions,
  slotState,
} from './replication-slot.ts';
import { ident, literal, type Sql, sql } from './sql.ts';
import { flushWal } from './wal.ts';

const failureOf = async (work: Promise<unknown>): Promise<PgglideError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PgglideError)) throw new Error(`Expected a PgglideError, got ${error}`);
  return error;
};

test('the snapshot shows what was there when the slot began, and nothing later', async ({ source }) => {
  await source.exec('CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  const name = `${source.name}_s`;
  {
    await using slot = await createSlotWithSnapshot(source.address, name, { timeoutMs: 10_000 });
    await source.exec('INSERT INTO t VALUES (2)');
    await using reader = await Connection.open(source.address, { purpose: 'test' });
    await reader.script(
      sql`BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT ${literal(slot.snapshotName)}`,
    );
    expect(await reader.query(sql`SELECT n FROM public.t`)).toEqual([{ n: 1 }]);
    expect(slot.consistentPoint).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    expect(slot.lost).toBeUndefined();
  }
  const state = await slotState(source.connection, name);
  expect(state).toMatchObject({ name, isActive: false, walStatus: 'reserved', safeWalBytes: undefined });
  expect(state?.retainedBytes).toBeGreaterThan(0);
  await dropSlot(source.connection, name, { timeoutMs: 5000 });
  expect(await slotState(source.connection, name)).toBeUndefined();
});

test('a role with idle and statement time-outs keeps its snapshot', async ({ source }) => {
  const role = `${source.name}_role`;
  await source.exec(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'secret';
    ALTER ROLE ${role} SET idle_in_transaction_session_timeout = '50ms';
    ALTER ROLE ${role} SET statement_timeout = '50ms'`);
  const address = { ...source.address, user: role, password: 'secret' };
  await using slot = await createSlotWithSnapshot(address, `${source.name}_s`, { timeoutMs: 10_000 });
  // Longer than the role's time-outs, which must not end it.
  await source.exec('SELECT pg_sleep(0.3)');
  await using reader = await Connection.open(source.address, { purpose: 'test' });
  await reader.script(
    sql`BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT ${literal(slot.snapshotName)}`,
  );
  await slot[Symbol.asyncDispose]();
  await dropSlot(source.connection, slot.name, { timeoutMs: 5000 });
});

/** A server of its own: whoever creates a slot waits for the whole cluster's transactions. */
test('case 15: running and prepared transactions make slot creation time out, are named, and no slot is left', async ({
  ownServers,
}) => {
  const [server] = await ownServers([15]);
  if (!server) throw new Error('no server');
  await using reader = await Connection.open(server.address(), { purpose: 'test' });
  await using writer = await Connection.open(server.address(), { purpose: 'application' });
  await reader.script(sql`CREATE TABLE public.t (n int)`);
  await writer.script(sql`BEGIN; INSERT INTO public.t VALUES (1)`);
  const create = [
    (options: SlotCreationOptions) => createSlotWithSnapshot(server.address(), 's', options),
    (options: SlotCreationOptions) => createSlot(reader, 's', options),
  ];
  for (const attempt of create) {
    const error = await failureOf(attempt({ timeoutMs: 300 }));
    expect(error.code).toBe('slot_waits_for_transaction');
    expect(error.message).toContain(`pid ${writer.backendPid} (postgres, idle in transaction`);
    expect(error.hint).toContain(`pg_terminate_backend(${writer.backendPid})`);
    expect(await slotState(reader, 's')).toBeUndefined();
  }
  const [setting] = await reader.query(sql`SELECT current_setting('statement_timeout') AS timeout`);
  expect(setting).toEqual({ timeout: '0' });

  for (const attempt of create) {
    const abort = new AbortController();
    const creating = attempt({ timeoutMs: 30_000, signal: abort.signal });
    creating.catch(() => undefined);
    await using watcher = await Connection.open(server.address(), { purpose: 'test' });
    await until(
      'the half-made slot',
      async () => ((await slotState(watcher, 's')) === undefined ? undefined : true),
      { timeoutMs: 10_000 },
    );
    abort.abort(new Error('stop'));
    await expect(creating).rejects.toThrow('stop');
    expect(await slotState(watcher, 's')).toBeUndefined();
  }

  for (const attempt of create) {
    const abort = new AbortController();
    const creating = attempt({ timeoutMs: 5_000, signal: abort.signal });
    abort.abort(new Error('stopped at once'));
    await expect(creating).rejects.toThrow('stopped at once');
    expect(await slotState(reader, 's')).toBeUndefined();
  }

  // A tool that was killed: its walsender waits on.
  const killed = await Connection.open(server.address(), { purpose: 'slot', replication: true });
  killed.query(sql`CREATE_REPLICATION_SLOT s LOGICAL pgoutput EXPORT_SNAPSHOT`).catch(() => undefined);
  await until('its slot', async () => ((await slotState(reader, 's')) === undefined ? undefined : true), {
    timeoutMs: 10_000,
  });
  killed.destroy();
  await dropSlot(reader, 's', { timeoutMs: 10_000 });
  expect(await slotState(reader, 's')).toBeUndefined();

  await writer.script(sql`PREPARE TRANSACTION 'it''s'`);
  const error = await failureOf(createSlotWithSnapshot(server.address(), 's', { timeoutMs: 300 }));
  expect(error.code).toBe('slot_waits_for_transaction');
  expect(error.hint).toContain("ROLLBACK PREPARED 'it''s'");
  expect(await slotState(reader, 's')).toBeUndefined();
});

test.for([13, 15, 18])(
  'on %i a copied slot stands where the first one does and sends the same, for a role that may only replicate',
  async (majorVersion, { ownServers }) => {
    const [server] = await ownServers([majorVersion]);
    if (!server) throw new Error('no server');
    await using admin = await Connection.open(server.address(), { purpose: 'test' });
    await admin.script(sql`
      CREATE TABLE public.t (n int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE public.t;
      CREATE ROLE mover LOGIN REPLICATION PASSWORD 'secret'`);
    const address = { ...server.address(), user: 'mover', password: 'secret' };
    await using mover = await Connection.open(address, { purpose: 'test' });
    await using slot = await createSlotWithSnapshot(address, 'first', { timeoutMs: 10_000 });
    await admin.script(sql`INSERT INTO public.t VALUES (1)`);
    // In use by nobody, but its snapshot still held.
    await copySlot(mover, 'first', 'second');
    const [first, second] = await Promise.all(['first', 'second'].map((name) => slotState(admin, name)));
    expect(second?.restartLsn).toBe(first?.restartLsn);
    expect(second?.confirmedFlushLsn).toBe(slot.consistentPoint);
    await admin.script(sql`INSERT INTO public.t VALUES (2)`);
    const changes = (name: string) =>
      admin.query(sql`
        SELECT lsn, data FROM pg_logical_slot_get_binary_changes(${name}, NULL, NULL, 'proto_version', '1', 'publication_names', 'p')`);
    const sent = await changes('first');
    expect(sent.length).toBeGreaterThan(4);
    expect(await changes('second')).toEqual(sent);
    expect((await failureOf(copySlot(mover, 'first', 'second'))).code).toBe('slot_exists');
  },
);

test('a name that is taken is refused, and the slot of that name stays', async ({ source }) => {
  const name = `${source.name}_s`;
  await createSlot(source.connection, name, { timeoutMs: 10_000 });
  const error = await failureOf(createSlotWithSnapshot(source.address, name, { timeoutMs: 10_000 }));
  expect(error.code).toBe('slot_exists');
  expect(await slotState(source.connection, name)).toBeDefined();
  await dropSlot(source.connection, name, { timeoutMs: 5000 });
});

test('a server without free slots, or without logical decoding, is told what to change', async ({
  ownServers,
}) => {
  const [full] = await ownServers([15], { max_replication_slots: '1' });
  const [plain] = await ownServers([15], { wal_level: 'replica' });
  if (!full || !plain) throw new Error('no server');
  await using connection = await Connection.open(full.address(), { purpose: 'test' });
  await createSlot(connection, 'first', { timeoutMs: 10_000 });
  expect(
    (await failureOf(createSlotWithSnapshot(full.address(), 'second', { timeoutMs: 10_000 }))).code,
  ).toBe('no_free_slot');
  expect((await failureOf(createSlotWithSnapshot(plain.address(), 's', { timeoutMs: 10_000 }))).code).toBe(
    'wal_level_not_logical',
  );
});

test('a role without REPLICATION is told so', async ({ source }) => {
  const role = `${source.name}_role`;
  await source.exec(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  const address = { ...source.address, user: role, password: 'secret' };
  const error = await failureOf(createSlotWithSnapshot(address, `${source.name}_s`, { timeoutMs: 10_000 }));
  expect(error.code).toBe('replication_not_permitted');
});

test('a slot in use is named with its pid, and dropped once it is free', async ({ source }) => {
  const name = `${source.name}_s`;
  await createSlot(source.connection, name, { timeoutMs: 10_000 });
  await source.exec(`CREATE PUBLICATION p`);
  const walsender = await Connection.open(source.address, { purpose: 'test', replication: true });
  walsender
    .script(sql`START_REPLICATION SLOT ${ident(name)} LOGICAL 0/0 (proto_version '1', publication_names 'p')`)
    .catch(() => undefined);
  await until(
    'the walsender',
    async () => ((await slotState(source.connection, name))?.isActive ? true : undefined),
    { timeoutMs: 10_000 },
  );
  const error = await failureOf(dropSlot(source.connection, name, { timeoutMs: 100 }));
  expect(error.code).toBe('slot_in_use');
  expect(error.message).toContain(`pid ${walsender.backendPid}`);
  walsender.destroy();
  await dropSlot(source.connection, name, { timeoutMs: 10_000 });
  expect(await slotState(source.connection, name)).toBeUndefined();
});

test('giving up as the slot is made cancels nothing that comes after it', async ({ source }) => {
  const name = `${source.name}_s`;
  const abort = new AbortController();
  const { connection } = source;
  const stopping = new Proxy(connection, {
    get(real, property) {
      if (property !== 'query') return Reflect.get(real, property, real);
      return async (statement: Sql) => {
        const rows = await real.query(statement);
        if (statement.text.includes('pg_create_logical_replication_slot')) abort.abort();
        return rows;
      };
    },
  });
  await createSlot(stopping, name, { timeoutMs: 10_000, signal: abort.signal });
  await connection.script(sql`SELECT pg_sleep(0.5)`);
  await dropSlot(connection, name, { timeoutMs: 5000 });
});

test('advancing lets WAL go', async ({ source }) => {
  const name = `${source.name}_s`;
  await createSlot(source.connection, name, { timeoutMs: 10_000 });
  await source.exec('CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)');
  await flushWal(source.connection);
  const { end } = await source.connection.one<{ end: string }>(
    sql`SELECT pg_current_wal_insert_lsn()::text AS end`,
  );
  const before = await slotState(source.connection, name);
  await advanceSlot(source.connection, name, end);
  const after = await slotState(source.connection, name);
  expect(after?.confirmedFlushLsn).not.toBe(before?.confirmedFlushLsn);
  expect(after?.lagBytes).toBeLessThan(before?.lagBytes ?? 0);
  await dropSlot(source.connection, name, { timeoutMs: 5000 });
});
