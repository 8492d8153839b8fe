/** A copy that has to begin again: whatever happens between two of its statements, no row is there twice and none is missing. */

import { describe, expect } from 'vitest';
import { cutOff } from '../support/cut-off.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** All but one are small: those are copied without a TRUNCATE of their own. One has no key that would refuse a second copy. */
const SHOP = `
  CREATE TABLE keyed (id int PRIMARY KEY); INSERT INTO keyed SELECT generate_series(1, 100);
  CREATE TABLE plain (n int); ALTER TABLE plain REPLICA IDENTITY FULL; INSERT INTO plain SELECT generate_series(1, 100);
  CREATE TABLE tree (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (1000); INSERT INTO tree SELECT generate_series(1, 100);
  CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g`;

/** The small tables are copied, the large one is not. */
async function stopsBeforeTheLargeOne(scene: Scene, target: Database): Promise<void> {
  const holder = await openSession(target.address);
  await cutOff(scene, (event) => {
    if (event.type === 'step-finished' && event.data.step === 'load-schema')
      void holder.query('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE');
    return event.type === 'copy-progress' && event.data.tablesDone === 3;
  });
  await holder.end();
}

/** Then their slot is lost. */
async function losesItsLane(scene: Scene, source: Database, target: Database): Promise<void> {
  await stopsBeforeTheLargeOne(scene, target);
  await source.exec(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()',
  );
}

async function endsEqual(scene: Scene, source: Database, target: Database): Promise<void> {
  await source.exec(
    'INSERT INTO keyed VALUES (200); INSERT INTO plain VALUES (200); UPDATE tree SET id = 500 WHERE id = 1',
  );
  await scene.sync();
  await scene.expectEqual();
  expect(await target.rows('SELECT count(*), count(DISTINCT n) AS distinct FROM plain')).toEqual([
    { count: 101, distinct: 101 },
  ]);
  await scene.abort();
}

describe('a copy whose only lane is lost', { timeout: 200_000 }, () => {
  test('stopped while a reader of the target keeps it from being emptied: nothing is copied on top', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withScene({ source, target }, async (scene) => {
      await losesItsLane(scene, source, target);
      const reader = await openSession(target.address);
      await reader.query('BEGIN; SELECT FROM plain');
      await cutOff(scene, ({ type }) => type === 'step-waiting');
      await reader.end();
      await endsEqual(scene, source, target);
    });
  });

  test('refused after its new slot was made, before anything is copied: what was emptied does not count as copied', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withScene({ source, target }, async (scene) => {
      await losesItsLane(scene, source, target);
      // The old lane is gone by then, and no new one is there.
      const holder = await openSession(source.address);
      await holder.query('BEGIN; LOCK TABLE plain IN SHARE UPDATE EXCLUSIVE MODE');
      await cutOff(scene, ({ type }) => type === 'step-waiting');
      await holder.end();
      const { scope } = scene.settings;
      scene.settings = { ...scene.settings, scope: { ...scope, exclude: ['public.big'] } };
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'planned_table_gone',
      });
      scene.settings = { ...scene.settings, scope };
      await endsEqual(scene, source, target);
    });
  });
});

test('a table that is dropped before it was copied: on the source alone it is asked for, on both the others go on', async ({
  source,
  target,
}) => {
  await source.exec(`${SHOP}; ALTER TABLE keyed ADD big int REFERENCES big`);
  await withScene({ source, target }, async (scene) => {
    await stopsBeforeTheLargeOne(scene, target);
    await source.exec('DROP TABLE big CASCADE');
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'planned_table_gone',
      message: expect.stringContaining('public.big'),
      hint: expect.stringContaining('drop it on the target, too'),
    });
    await target.exec('DROP TABLE big');
    await endsEqual(scene, source, target);
  });
});
