/** What a verification has found is not left behind by the next command: rows that only one side has are the last of their kind. */

import { expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** Cut over, and since then a filled table was attached as a partition: its rows are on the target only, and verify says so. */
async function withRowsOnTarget(
  { source, target }: { readonly source: Database; readonly target: Database },
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  await source.exec(`CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    for (const side of [source, target]) await side.exec('CREATE TABLE p2 (id int PRIMARY KEY)');
    await target.exec('INSERT INTO p2 VALUES (11), (12)');
    const attach = 'ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)';
    for (const side of [source, target]) await side.exec(attach);
    expect((await scene.verify()).summary.equal).toBe(false);
    await expect(scene.rollback()).rejects.toMatchObject({
      code: 'not_verified',
      exitCode: 7,
      hint: expect.stringContaining('rollback --unverified'),
    });
    await work(scene);
    await scene.abort();
  });
}

const IDS = 'SELECT id FROM p ORDER BY 1';
const BOTH = [{ id: 11 }, { id: 12 }];

test('a rollback is refused; repaired, it goes, and the rows are on the source', async ({
  source,
  target,
}) => {
  await withRowsOnTarget({ source, target }, async (scene) => {
    expect(await scene.run((migration) => migration.repair('public.p'))).toMatchObject({ repaired: 2 });
    const { verification } = await scene.rollback();
    expect(verification?.equal).toBe(true);
    expect(await source.rows(IDS)).toEqual(BOTH);
  });
});

test('rolled back all the same: told where the rows are, and a repair deletes them only when told to', async ({
  source,
  target,
}) => {
  await withRowsOnTarget({ source, target }, async (scene) => {
    const { verification } = await scene.run((migration) => migration.rollback({ unverified: true }));
    expect(verification?.equal).toBe(false);
    const warning = scene.events.findLast((event) => event.type === 'warning');
    expect(warning?.data).toMatchObject({
      code: 'switched_with_differences',
      message: expect.stringContaining('public.p: 2 rows only on the target'),
    });
    await expect(scene.run((migration) => migration.repair('public.p'))).rejects.toMatchObject({
      code: 'rows_on_one_side',
      exitCode: 7,
      message: expect.stringContaining('2 row(s) of public.p'),
    });
    expect(await target.rows(IDS)).toEqual(BOTH);
    const outcome = await scene.run((migration) =>
      migration.repair('public.p', undefined, { deleteRows: true }),
    );
    expect(outcome).toMatchObject({ repaired: 2, verification: { summary: { equal: true } } });
    expect(await target.rows(IDS)).toEqual([]);
  });
});
