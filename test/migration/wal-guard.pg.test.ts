/** Case 17, for the days in which nobody syncs: a slot whose other server is gone must not fill the active side's disk. */

import { expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { withWalGuard } from '../../src/migration/wal-guard.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { sql } from '../../src/postgres/sql.ts';
import type { Scene } from '../support/migration.ts';
import { withTable } from '../support/own-servers.ts';
import { test } from '../support/pair.ts';

const MB = 2 ** 20;

async function ask<Row extends object>(
  server: EmbeddedServer,
  statement: ReturnType<typeof sql>,
): Promise<Row[]> {
  await using session = await Connection.open(server.address(), { purpose: 'test' });
  return await session.query<Row>(statement);
}

/** Moves the WAL position on by 16 MB a time; hardly anything is written. */
async function writeWal(server: EmbeddedServer, segments: number): Promise<void> {
  for (let segment = 0; segment < segments; segment += 1)
    await ask(server, sql`SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'test', 'x')`);
}

const slots = (server: EmbeddedServer) =>
  ask<{ name: string }>(server, sql`SELECT slot_name AS name FROM pg_replication_slots`);

/** Guards until the slot of `active` is gone, and only `left` others are there. */
async function guarded(
  scene: Scene,
  active: EmbeddedServer,
  meanwhile: () => Promise<void> = async () => undefined,
  left = 0,
): Promise<MigrationEvent[]> {
  const told: MigrationEvent[] = [];
  const throttle = { ...scene.settings.throttle, maxWalRetainedBytes: 100 * MB };
  const options = { emit: (event: MigrationEvent) => told.push(event), windowMs: 4_500 };
  await withWalGuard({ ...scene.settings, throttle }, options, async () => {
    await meanwhile();
    await until(
      'the end of the slot',
      async () => ((await slots(active)).length === left ? true : undefined),
      {
        timeoutMs: 60_000,
        intervalMs: 200,
      },
    );
    await until('a word about it', () => Promise.resolve(told[0]), { timeoutMs: 10_000 });
  });
  return told;
}

const warning = (code: string, message: string) => ({
  type: 'warning',
  data: { code, message: expect.stringContaining(message) },
});

test('the old server dies after the cutover: the way back is given up, loudly, before the new disk is full', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    await scene.verify();
    await scene.cutover();
    await source.stop();
    await writeWal(target, 3);
    expect(await slots(target)).toHaveLength(1);
    await writeWal(target, 5);
    expect(await guarded(scene, target)).toMatchObject([warning('way_back_given_up', 'NO WAY BACK')]);
    const journaled = sql`SELECT data->>'code' AS code FROM pgglide.event WHERE type = 'warning'`;
    expect(await ask(target, journaled)).toContainEqual({ code: 'way_back_given_up' });
  });
});

test('the target dies while it follows, and with it a cutover before its commit point: the source gets rid of the slot without asking it', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    const intent = JSON.stringify({ direction: 'cutover', from: 'source', to: 'target', epoch: 1 });
    await ask(target, sql`UPDATE pgglide.migration SET switchover = ${intent}::jsonb`);
    const told = await guarded(scene, source, async () => {
      const guards = sql`SELECT FROM pg_stat_activity WHERE application_name = 'pgglide: wal guard'`;
      // It has read the migration's row once it looks at the source.
      await until('the guard', async () => ((await ask(source, guards)).length > 0 ? true : undefined), {
        timeoutMs: 30_000,
      });
      await target.stop();
      await writeWal(source, 8);
    });
    expect(told).toMatchObject([warning('wal_limit_reached', 'copied is stale')]);
  });
});

test('a slot that PostgreSQL has made to copy one table to the old server goes at the limit, too, and alone', async ({
  ownServers,
}) => {
  await withTable(ownServers, async (scene, source, target) => {
    await scene.sync();
    await scene.cutover();
    const [link] = await slots(target);
    const [own] = await ask<{ name: string }>(
      source,
      sql`SELECT format('pg_%s_sync_1_%s', s.oid, c.system_identifier) AS name FROM pg_subscription s, pg_control_system() c`,
    );
    const name = own?.name ?? '';
    const others = name.replace('pg_', 'pg_9');
    for (const slot of [name, others])
      await ask(target, sql`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`);
    await writeWal(target, 8);
    expect(await guarded(scene, target, undefined, 2)).toMatchObject([
      warning('table_copy_given_up', `Slot ${name}`),
    ]);
    const left = (await slots(target)).map((slot) => slot.name);
    expect(new Set(left)).toEqual(new Set([link?.name, others]));
  });
});
