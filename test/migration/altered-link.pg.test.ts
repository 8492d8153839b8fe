/** Somebody alters a link that runs: PostgreSQL leaves changes out without a word, or the link is waited for in vain. */

import { expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { test } from '../support/pair.ts';

test.beforeAll(async ({ shared: { source, scene } }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)');
  await scene.sync();
});

/** Publication, slot and subscription of the lane that the side publishes. */
async function laneFrom(publisher: Database): Promise<string> {
  const [slot] = await publisher.rows<{ name: string }>(
    'SELECT slot_name AS name FROM pg_replication_slots WHERE database = current_database()',
  );
  return slot?.name ?? '';
}

const ids = async (side: Database) =>
  (await side.rows<{ id: number }>('SELECT id FROM t ORDER BY 1')).map(({ id }) => id);

const NOT_READY = { code: 'not_ready', facts: { reasons: ['altered'] } };

test('a publication that leaves out DELETE: no switch goes past it, also once it is mended, before both sides were compared', async ({
  shared: { source, target, scene },
}) => {
  await source.exec(`ALTER PUBLICATION ${await laneFrom(source)} SET (publish = 'insert, update')`);
  await source.exec('DELETE FROM t WHERE id = 1');
  const { problems, ready } = await scene.status();
  expect(problems.join()).toMatch(/leaves out DELETE, TRUNCATE: .*pgglide verify/);
  expect(ready).toContainEqual({ name: 'link as it was made', ok: false });
  await expect(scene.cutover()).rejects.toMatchObject(NOT_READY);
  await scene.sync();
  expect((await scene.status()).problems).toEqual([]);
  await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_verified', exitCode: 7 });
  await source.exec('DELETE FROM t WHERE id = 2');
  expect((await scene.verify()).summary.equal).toBe(false);
  await scene.run((migration) => migration.repair('public.t'));
  expect(await ids(target)).toEqual([3, 4, 5, 6, 7, 8, 9]);
});

test('a row filter, and a subscription that follows another publication', async ({
  shared: { source, target, scene },
}) => {
  const lane = await laneFrom(source);
  await source.exec(
    `ALTER PUBLICATION ${lane} SET TABLE pgglide.marker_forward_1, t WHERE (id < 100); CREATE PUBLICATION ${source.name} FOR TABLE t`,
  );
  await target.exec(`ALTER SUBSCRIPTION ${lane} SET PUBLICATION ${source.name} WITH (refresh = false)`);
  const { problems } = await scene.status();
  expect(problems.join()).toMatch(/rows or columns of public.t: .*follows t_.*/);
  await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_ready' });
  await source.exec('INSERT INTO t VALUES (100)');
  await scene.verify();
  await source.exec(`DROP PUBLICATION ${source.name}; INSERT INTO t VALUES (101)`);
  await scene.verify();
  expect(await ids(target)).toContain(101);
  await scene.run((migration) => migration.repair('public.t'));
  await scene.expectEqual();
});

test('what takes no change with it is given back by the next command: the slot’s name, the marker on either side', async ({
  shared: { source, target, scene },
}) => {
  const lane = await laneFrom(source);
  await target.exec(`ALTER SUBSCRIPTION ${lane} DISABLE`);
  await target.exec(`ALTER SUBSCRIPTION ${lane} SET (slot_name = NONE)`);
  expect((await scene.status()).problems.join()).toMatch(
    /is disabled, by somebody .*pgglide sync enables it/,
  );
  await scene.sync();
  await source.exec('DELETE FROM pgglide.marker_forward_1');
  await scene.expectEqual();
  await target.exec('DELETE FROM pgglide.marker_forward_1');
  await scene.expectEqual();
  await source.exec('DROP TABLE pgglide.marker_forward_1');
  await scene.sync();
  await target.exec('DROP TABLE pgglide.marker_forward_1');
  await scene.expectEqual();
});

test('the way back: the same, and a publication that was altered while it had no slot is made as it was', async ({
  shared: { source, target, scene },
}) => {
  await scene.cutover();
  const lane = await laneFrom(target);
  await target.exec(`ALTER PUBLICATION ${lane} SET (publish = 'insert, update'); DELETE FROM t WHERE id = 3`);
  await expect(scene.rollback()).rejects.toMatchObject(NOT_READY);
  await scene.sync();
  expect((await scene.status()).next).toMatch(/^pgglide verify/);
  expect((await scene.verify()).summary.equal).toBe(false);
  await expect(scene.rollback()).rejects.toMatchObject({ code: 'not_verified' });
  await scene.run((migration) => migration.repair('public.t', undefined, { deleteRows: true }));
  await scene.rollback();
  await target.exec(`ALTER PUBLICATION ${lane} SET (publish = 'insert')`);
  await source.exec(`ALTER SUBSCRIPTION ${lane} SET (slot_name = NONE)`);
  await scene.cutover();
  await target.exec('DELETE FROM t WHERE id = 4');
  await scene.expectEqual();
  expect(await ids(source)).not.toContain(4);
  await scene.rollback();
});

test('what shows no more: a slot that was advanced while its subscription was disabled, a fence that was taken off', async ({
  shared: { source, target, scene },
}) => {
  const lane = await laneFrom(source);
  await target.exec(`ALTER SUBSCRIPTION ${lane} DISABLE`);
  await source.exec('INSERT INTO t VALUES (300)');
  const advance = `SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots
    WHERE slot_name = '${lane}' AND NOT active`;
  await expect.poll(() => source.rows(advance), { timeout: 30_000 }).toHaveLength(1);
  await target.exec(`ALTER SUBSCRIPTION ${lane} ENABLE`);
  expect((await scene.status()).problems.join()).toContain('was altered meanwhile');
  await expect(scene.cutover()).rejects.toMatchObject(NOT_READY);
  expect((await scene.verify()).summary.equal).toBe(false);
  await scene.run((migration) => migration.repair('public.t'));
  expect((await scene.status()).problems).toEqual([]);

  await target.exec("DROP TRIGGER pgglide_fence ON t; TRUNCATE t; SELECT setval('pgglide.fence_state', 0)");
  expect((await scene.status()).problems.join()).toMatch(/fence of 1 table of the target .*target is down/);
  await expect(scene.cutover()).rejects.toMatchObject(NOT_READY);
  await scene.sync();
  await expect(target.exec('TRUNCATE t')).rejects.toMatchObject({ code: '25006' });
  await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_verified' });
  await scene.run((migration) => migration.repair('public.t'));
});

test('sessions of the new side that could not write: before any waits', async ({
  shared: { target, scene },
}) => {
  const database = `ALTER DATABASE "${target.name}"`;
  await target.exec(`${database} SET default_transaction_read_only = on`);
  const refused = { code: 'not_ready', facts: { reasons: ['sessions'] } };
  await expect(scene.cutover()).rejects.toMatchObject(refused);
  await target.exec(`${database} RESET default_transaction_read_only`);
});

test('a subscription that was dropped is made anew, and both sides are compared before a switch', async ({
  shared: { source, target, scene },
}) => {
  const lane = await laneFrom(source);
  await target.exec(`ALTER SUBSCRIPTION ${lane} DISABLE`);
  await target.exec(`ALTER SUBSCRIPTION ${lane} SET (slot_name = NONE)`);
  await target.exec(`DROP SUBSCRIPTION ${lane}`);
  await scene.sync();
  await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_verified' });
  await scene.expectEqual();
});

test('a publication that was dropped: all is copied anew', async ({ shared: { source, scene } }) => {
  await source.exec(`DROP PUBLICATION ${await laneFrom(source)}`);
  await scene.sync();
  await scene.expectEqual();
});

test('our schema on the source, and on the target that had taken over', async ({
  shared: { source, target, scene },
}) => {
  await source.exec('DROP SCHEMA pgglide CASCADE');
  await scene.sync();
  await scene.expectEqual();
  await scene.cutover();
  await source.exec('DROP SCHEMA pgglide CASCADE');
  await target.exec('INSERT INTO t VALUES (200)');
  await scene.sync();
  await scene.expectEqual();
  await expect(source.exec('INSERT INTO t VALUES (201)')).rejects.toThrow('is not the active side');

  await target.exec('ALTER SCHEMA pgglide RENAME TO hidden');
  for (const command of [scene.status, scene.sync, scene.rollback, scene.abort])
    await expect(command()).rejects.toMatchObject({ code: 'record_lost', exitCode: 3 });
  await target.exec('ALTER SCHEMA hidden RENAME TO pgglide');
  await scene.rollback();
});
