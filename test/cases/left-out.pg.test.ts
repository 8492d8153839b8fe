import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const planLines = async (scene: Scene) =>
  (await scene.run((migration) => migration.plan())).sections.flatMap(({ title, lines }) => [
    title,
    ...lines.map((line) => line.statement),
  ]);

const backAndAbort = async (scene: Scene) => {
  await scene.run((migration) => migration.rollback());
  expect(await scene.run((migration) => migration.abort())).toEqual({ leftovers: [] });
};

describe('case 24: materialized views', () => {
  const one = (side: Database, text: string) => side.rows<{ n: number }>(text).then(([row]) => row?.n);

  test('are filled at the sync, refreshed before each switch, in the order of their dependence; unpopulated ones stay so', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE sale (id int PRIMARY KEY, sum int); INSERT INTO sale VALUES (1, 10);
      CREATE MATERIALIZED VIEW z_base AS SELECT id, sum FROM sale; CREATE UNIQUE INDEX ON z_base (id);
      CREATE VIEW between_them AS SELECT * FROM z_base;
      CREATE MATERIALIZED VIEW a_total AS SELECT sum(sum)::int AS n FROM between_them;
      CREATE MATERIALIZED VIEW empty AS SELECT 1 AS n WITH NO DATA`);
    await withScene({ source, target }, async (scene) => {
      expect((await planLines(scene)).join('\n')).toMatch(/Materialized views.*not timed yet/);
      await scene.run((migration) => migration.sync());
      expect(await one(target, 'SELECT n FROM a_total')).toBe(10);
      const lines = (await planLines(scene)).join('\n');
      expect(lines).toMatch(/Materialized views.*\d+ ms at the last refresh/);
      expect(lines).toContain('public.z_base: REFRESH CONCURRENTLY');
      expect(lines).toContain('public.empty: not populated, stays so');

      await source.exec('INSERT INTO sale VALUES (2, 5)');
      await scene.run((migration) => migration.cutover());
      expect(await one(target, 'SELECT n FROM a_total')).toBe(15);
      await expect(target.rows('SELECT n FROM empty')).rejects.toMatchObject({ code: '55000' });

      await target.exec('INSERT INTO sale VALUES (3, 1)');
      await backAndAbort(scene);
      expect(await one(source, 'SELECT n FROM a_total')).toBe(16);
    });
  });

  test('one that cannot be refreshed stops the sync with its name, and a switch only with a warning', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE n (id int PRIMARY KEY, d int); INSERT INTO n VALUES (1, 1);
      CREATE MATERIALIZED VIEW broken AS SELECT 1 / d AS n FROM n; UPDATE n SET d = 0`);
    await withScene({ source, target }, async (scene) => {
      await expect(scene.run((migration) => migration.sync())).rejects.toMatchObject({
        code: 'view_not_refreshed',
        exitCode: 3,
        message: expect.stringContaining('public.broken'),
      });
      await source.exec('UPDATE n SET d = 2');
      await scene.run((migration) => migration.sync());
      await source.exec('UPDATE n SET d = 0');
      await scene.run((migration) => migration.cutover());
      const warned = scene.events.filter((event) => event.type === 'warning').map((event) => event.data.code);
      expect(warned).toEqual(['view_not_refreshed']);
      await backAndAbort(scene);
    });
  });
});
