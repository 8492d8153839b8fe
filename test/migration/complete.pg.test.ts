/** The end after a cutover: the way back goes last, and nothing of ours stays on the active side. */

import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { bound, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const complete = (scene: Scene) => scene.run((migration) => migration.complete({ dropFence: false }));

const fences = (side: Database) =>
  side.rows("SELECT tgrelid::regclass::text AS t FROM pg_trigger WHERE tgname = 'pgglide_fence'");

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)';

describe('complete that cannot have a lock on the active side', () => {
  test('leaves the way back as it is: rollback goes, and complete later', async ({ source, target }) => {
    await source.exec(TABLE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      // As a table does that somebody holds for longer than we wait.
      await target.exec(`CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''in use'' USING ERRCODE = ''55006''; END';
        CREATE EVENT TRIGGER held ON ddl_command_start WHEN TAG IN ('DROP TRIGGER') EXECUTE FUNCTION public.refuse()`);
      await expect(complete(scene)).rejects.toThrow('in use');
      await target.exec('DROP EVENT TRIGGER held; DROP FUNCTION public.refuse(); INSERT INTO t VALUES (2)');
      const next = 'pgglide rollback, or pgglide complete';
      expect(await scene.status()).toMatchObject({ phase: 'switched', problems: [], next });
      const { verification } = await scene.rollback();
      expect(verification?.equal).toBe(true);
      expect(await source.rows('SELECT id FROM t ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }]);
      await scene.cutover();
      await complete(scene);
      expect(await fences(target)).toEqual([]);
    });
  });
});

describe('status once the way back is gone', () => {
  for (const [what, lose] of [
    [
      'its slot',
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name LIKE 'pgglide%'",
    ],
    ['all of it', 'DROP PUBLICATION'],
  ] as const)
    test(`${what}: names complete, and no rollback`, async ({ source, target }) => {
      await source.exec(TABLE);
      await withScene({ source, target }, async (scene) => {
        await scene.sync();
        await scene.cutover();
        await loseWayBack(source, target, lose);
        const { next, problems } = await scene.status();
        expect(problems).toContainEqual(expect.stringContaining('there is no way back any more'));
        expect(next).toBe('pgglide complete');
        // At once, and not when the time for a marker or a worker is over.
        const lost = {
          code: 'slot_lost',
          exitCode: 11,
          message: expect.stringContaining('there is no way back any more'),
        };
        await expect(scene.verify()).rejects.toMatchObject(lost);
        await expect(scene.rollback()).rejects.toMatchObject(lost);
        await complete(scene);
        expect(await scene.status()).toMatchObject({ phase: 'completed', problems: [] });
      });
    });
});

/** As a complete leaves it that was cut off, or as a server does whose WAL went. */
async function loseWayBack(source: Database, target: Database, lose: string): Promise<void> {
  const [{ name } = { name: '' }] = await source.rows<{ name: string }>(
    'SELECT subname AS name FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()',
  );
  await source.exec(`ALTER SUBSCRIPTION "${name}" DISABLE`);
  await source.exec(`ALTER SUBSCRIPTION "${name}" SET (slot_name = NONE)`);
  if (lose === 'DROP PUBLICATION') await source.exec(`DROP SUBSCRIPTION "${name}"`);
  const drop =
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()';
  await expect.poll(() => target.exec(drop).then(() => 'gone', String)).toBe('gone');
  if (lose === 'DROP PUBLICATION') await target.exec(`DROP PUBLICATION "${name}"`);
}

const SLOTS = 'FROM pg_replication_slots WHERE database = current_database()';

/** Killed behind the commit point, before the way back is enabled; then the new side gives its slot up, because nobody reads it. */
async function cutOffAndLoseSlot(
  scene: Scene,
  direction: 'cutover' | 'rollback',
  [oldSide, newSide]: readonly [Database, Database],
): Promise<void> {
  const attempt = scene.run((migration) => migration[direction](), {
    traffic: (real) => ({
      ...bound(real),
      resume: async (side, epoch) => {
        await oldSide.exec(`
          CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END';
          CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('ALTER SUBSCRIPTION') EXECUTE FUNCTION public.refuse()`);
        return real.resume(side, epoch);
      },
    }),
  });
  await expect(attempt).rejects.toThrow('not now');
  await oldSide.exec('DROP EVENT TRIGGER cut; DROP FUNCTION public.refuse()');
  await newSide.exec(`SELECT pg_drop_replication_slot(slot_name) ${SLOTS}`);
}

test('a switch that was cut off behind its commit point, and whose way back lost its slot since, is ended all the same', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    const told = () =>
      scene.events.filter(({ type, data }) => type === 'warning' && data.code === 'return_link_lost');
    await scene.sync();
    await scene.cutover();
    await cutOffAndLoseSlot(scene, 'rollback', [target, source]);
    await source.exec('INSERT INTO t VALUES (2)');
    await scene.sync();
    expect(told()).toMatchObject([{ data: { hint: 'Run: pgglide sync' } }]);
    expect(await scene.status()).toMatchObject({ phase: 'following', problems: [] });
    await scene.expectEqual();

    await cutOffAndLoseSlot(scene, 'cutover', [source, target]);
    await expect(scene.rollback()).rejects.toMatchObject({ code: 'slot_lost' });
    expect(told()).toMatchObject([{}, { data: { hint: 'Run: pgglide complete' } }]);
    // No WAL is held for the link that is no longer used.
    expect(await source.rows(`SELECT slot_name ${SLOTS}`)).toEqual([]);
    await complete(scene);
    expect(await scene.status()).toMatchObject({ phase: 'completed', problems: [] });
  });
});

test('complete takes the fence from tables that have another name since, and from what is no partition any more', async ({
  source,
  target,
}) => {
  await source.exec(`${TABLE}; CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    for (const side of [source, target])
      await side.exec('ALTER TABLE t RENAME TO renamed; ALTER TABLE p DETACH PARTITION p1');
    await complete(scene);
    expect(await fences(target)).toEqual([]);
    await scene.run((migration) => migration.complete({ dropFence: true }));
    expect(await fences(source)).toEqual([]);
  });
});

test('abort takes the fence from such tables, too', async ({ source, target }) => {
  await source.exec(`${TABLE}; CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    await scene.rollback();
    for (const side of [source, target])
      await side.exec('ALTER TABLE t RENAME TO renamed; ALTER TABLE p DETACH PARTITION p1');
    await scene.abort();
    for (const side of [source, target]) expect(await fences(side)).toEqual([]);
  });
});
