import { describe, expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const HELPERS =
  "SELECT c.relname, pg_get_indexdef(c.oid) AS def FROM pg_class c WHERE relkind = 'i' AND relname LIKE 'pgglide_helper%' ORDER BY 2";

describe('case 8: REPLICA IDENTITY FULL without an index', () => {
  test('the target gets helper indexes, on each leaf too; the apply worker uses them; complete drops them', async ({
    source,
    target,
  }) => {
    await source.exec(`
      CREATE TABLE event (kind bool, at int, doc text); ALTER TABLE event REPLICA IDENTITY FULL;
      CREATE TABLE found (a int, b text); CREATE INDEX ON found (a); ALTER TABLE found REPLICA IDENTITY FULL;
      CREATE TABLE wide (doc text); ALTER TABLE wide REPLICA IDENTITY FULL;
      CREATE TABLE log (day int, line text) PARTITION BY RANGE (day); ALTER TABLE log REPLICA IDENTITY FULL;
      CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); ALTER TABLE log_1 REPLICA IDENTITY FULL;
      INSERT INTO event SELECT true, g, repeat('x', 5000) FROM generate_series(1, 300) g;
      INSERT INTO log SELECT g % 10, 'l' FROM generate_series(1, 30) g; INSERT INTO wide VALUES ('w')`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const helpers = await target.rows<{ def: string }>(HELPERS);
      expect(helpers.map(({ def }) => def.replace(/^.* ON /, ''))).toEqual([
        'public.event USING btree (at, kind) INCLUDE (at)',
        'public.log_1 USING btree (day) INCLUDE (day)',
      ]);
      await source.exec(
        "UPDATE event SET doc = 'short' WHERE at <= 50; UPDATE log SET line = 'm'; DELETE FROM wide",
      );
      await scene.expectEqual();
      await expect
        .poll(
          () =>
            target.rows(
              "SELECT idx_scan > 0 AS used FROM pg_stat_user_indexes WHERE relid = 'public.event'::regclass",
            ),
          { timeout: 30_000 },
        )
        .toEqual([{ used: true }]);

      // A root's index takes an index of a leaf that is like it for its part there: not ours, which goes again.
      for (const side of [source, target]) await side.exec('CREATE INDEX log_day ON log (day)');
      await scene.expectEqual();
      await scene.cutover();
      expect(await source.rows(HELPERS)).toEqual([]);
      await target.exec("UPDATE event SET doc = 'back' WHERE at = 7");
      await scene.expectEqual();
      await scene.run((migration) => migration.complete({ dropFence: true }));
      expect(await target.rows(HELPERS)).toEqual([]);
    });
  });

  test('the plan says it, for both directions, and abort leaves none behind', async ({ source, target }) => {
    await source.exec('CREATE TABLE event (at int); ALTER TABLE event REPLICA IDENTITY FULL');
    await withScene({ source, target }, async (scene) => {
      const { sections } = await scene.run((migration) => migration.plan());
      const lines = sections.flatMap((section) => section.lines.map((line) => line.statement));
      const helper = lines.filter((line) => line.includes('pgglide_helper'));
      expect(helper).toHaveLength(2);
      expect(helper[1]).toContain('before PostgreSQL 16 only a primary key helps');
      await scene.sync();
      expect(await target.rows(HELPERS)).toHaveLength(1);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('statistics that cannot be made do not stop it: the columns are chosen without, and it is told', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE event (at int, kind int); ALTER TABLE event REPLICA IDENTITY FULL;
      INSERT INTO event SELECT g, 1 FROM generate_series(1, 30) g;
      CREATE FUNCTION broken(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE EXCEPTION ''broken''; END';
      CREATE STATISTICS told ON (broken(at)), kind FROM event`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      expect(await target.rows(HELPERS)).toHaveLength(1);
      expect(scene.events).toContainEqual(
        expect.objectContaining({ type: 'warning', data: expect.objectContaining({ code: 'not_analyzed' }) }),
      );
      await scene.abort();
    });
  });
});
