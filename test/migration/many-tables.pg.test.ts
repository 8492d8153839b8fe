/** Case 31: thousands of tables in one lane: one slot and one origin, whatever their number. */

import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLES = Number(process.env.PGGLIDE_TEST_TABLES ?? 400);

test(`${TABLES} tables follow in one lane and switch there and back`, { timeout: 600_000 }, async ({
  source,
  target,
}) => {
  // In pieces: the locks of one transaction are limited.
  for (let start = 1; start <= TABLES; start += 500) {
    await source.exec(`DO $$ BEGIN FOR n IN ${start}..${Math.min(TABLES, start + 499)} LOOP
      EXECUTE format('CREATE TABLE t_%s (id serial PRIMARY KEY, t text)', n);
      EXECUTE format('INSERT INTO t_%s (t) SELECT g::text FROM generate_series(1, 3) g', n);
    END LOOP; END $$`);
  }
  await withScene({ source, target }, async (scene) => {
    const times: Record<string, number> = {};
    const timed = async (name: string, work: () => Promise<unknown>) => {
      const started = performance.now();
      await work();
      times[name] = Math.round(performance.now() - started);
    };
    await timed('check', () => scene.check());
    await timed('sync', () => scene.sync());
    for (const event of scene.events)
      if (event.type === 'step-finished') times[event.data.step] = event.data.ms;
    await source.exec(`UPDATE t_1 SET t = 'one'; UPDATE t_${TABLES} SET t = 'last'`);
    expect((await source.rows('SELECT slot_name FROM pg_replication_slots')).length).toBe(1);
    await timed('verify', async () => await scene.expectEqual());
    await timed('cutover', () => scene.cutover());
    await target.exec(`INSERT INTO t_${TABLES} (t) VALUES ('new')`);
    await timed('rollback', () => scene.rollback());
    expect(await source.rows(`SELECT id FROM t_${TABLES} WHERE t = 'new'`)).toEqual([{ id: 4 }]);
    await timed('abort', async () => expect(await scene.abort()).toEqual({ leftovers: [] }));
    if (process.env.PGGLIDE_TEST_TABLES) console.error(times);
  });
});
