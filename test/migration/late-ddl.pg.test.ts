import { expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** Runs sync, and statements on the source when its rows are there and the schemas have not been compared yet. */
async function syncWith(scene: Scene, source: Database, statements: string): Promise<void> {
  let late: Promise<void> | undefined;
  const onEvent = (event: MigrationEvent) => {
    if (event.type === 'copy-finished') late ??= source.exec(statements);
  };
  try {
    await scene.run((migration) => migration.sync(), { onEvent });
  } finally {
    await late;
  }
}

test('DDL on the source during the first copy is drift: named, and in the way of a cutover until the target has it', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)');
  await withScene({ source, target }, async (scene) => {
    const late =
      'CREATE INDEX late_index ON t (a); CREATE FUNCTION late_f() RETURNS int LANGUAGE sql AS $$SELECT 1$$';
    await expect(syncWith(scene, source, late)).rejects.toMatchObject({
      code: 'schema_differs',
      message: expect.stringMatching(/schema of the source changed.*late_index.*late_f/),
    });
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'schema_differs',
    });
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'wrong_phase',
    });
    await target.exec(late);
    await scene.sync();
    expect(scene.events.filter(({ type }) => type === 'warning')).toEqual([]);
    await scene.abort();
  });
});

test('tables and partitions that come to the source during the first copy join in the same sync, with their rows', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); INSERT INTO log VALUES (1)`);
  await withScene({ source, target }, async (scene) => {
    await syncWith(
      scene,
      source,
      `CREATE TABLE late (id serial PRIMARY KEY); INSERT INTO late DEFAULT VALUES;
       CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20); INSERT INTO log VALUES (10)`,
    );
    await source.exec('INSERT INTO late DEFAULT VALUES; INSERT INTO log VALUES (11)');
    const { summary } = await scene.verify();
    expect(summary.equal).toBe(true);
    expect(summary.tables.map(({ table, sourceRows }) => [table, sourceRows]).toSorted()).toEqual([
      ['public.late', 2],
      ['public.log', 3],
    ]);
    expect((await scene.cutover()).summary.sequences).toBe(1);
    await scene.rollback();
    await scene.abort();
  });
});
