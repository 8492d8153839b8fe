/** Inheritance trees without partitioning: each table of them is one of its own, in the copy, in the link and in the switch. */

import { describe, expect } from 'vitest';
import type { PgglideError } from '../../src/domain/errors.ts';
import { cutOff } from '../support/cut-off.ts';
import type { Database } from '../support/database.ts';
import { openSession, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** The parent is large: what is small is copied in one transaction. */
const TREE = `
  CREATE TABLE ev (id int PRIMARY KEY, t text);
  CREATE TABLE ev_2023 (PRIMARY KEY (id)) INHERITS (ev);
  CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
  INSERT INTO ev SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g;
  INSERT INTO ev_2023 SELECT g, 'child' FROM generate_series(1, 100) g;
  INSERT INTO part SELECT generate_series(1, 100)`;

const published = (side: Database) =>
  side.rows<{ tables: string }>(`
    SELECT string_agg(prrelid::regclass::text, ' ' ORDER BY prrelid::regclass::text) AS tables
    FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid
    WHERE prrelid::regclass::text NOT LIKE 'pgglide.%' GROUP BY pubname ORDER BY pubname`);

const ownRows = async (side: Database, table: string) => {
  const [row] = await side.rows<{ n: number }>(`SELECT count(*) AS n FROM ONLY ${table}`);
  return row?.n;
};

describe('an inheritance tree', { timeout: 300_000 }, () => {
  test('cut off when only the child was copied: the child stays copied, and in its lane', async ({
    source,
    target,
  }) => {
    await source.exec(TREE);
    await withScene({ source, target }, async (scene) => {
      const holder = await openSession(target.address);
      await cutOff(scene, (event) => {
        if (event.type === 'step-finished' && event.data.step === 'load-schema')
          void holder.query('BEGIN; LOCK TABLE ONLY ev IN ACCESS EXCLUSIVE MODE');
        return event.type === 'copy-progress' && event.data.tablesDone === 2;
      });
      await holder.end();
      await source.exec("UPDATE ev_2023 SET t = 'changed' WHERE id < 10; INSERT INTO part VALUES (500)");

      await scene.sync();
      expect(await published(source)).toEqual([{ tables: 'ev_2023 part' }, { tables: 'ev' }]);
      await source.exec("UPDATE ev SET t = 'both' WHERE id < 5; DELETE FROM part WHERE id = 7");
      await scene.expectEqual();
      expect([await ownRows(target, 'ev'), await ownRows(target, 'ev_2023')]).toEqual([20_000, 100]);
      await scene.abort();
    });
  });

  test('in two lanes no row comes twice, there and back', async ({ source, target }) => {
    await source.exec(TREE);
    await withScene({ source, target }, async (scene) => {
      scene.settings = { ...scene.settings, replication: { lanes: 2, divide: 'tables' } };
      await scene.sync();
      await source.exec("INSERT INTO ev_2023 VALUES (1000, 'new'); INSERT INTO ev VALUES (1000000, 'new')");
      expect((await scene.cutover()).verification?.equal).toBe(true);
      expect((await published(target)).map(({ tables }) => tables).sort()).toEqual(
        (await published(source)).map(({ tables }) => tables).sort(),
      );
      await target.exec("INSERT INTO ev_2023 VALUES (1001, 'new'); TRUNCATE ONLY ev");
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect([await ownRows(source, 'ev'), await ownRows(source, 'ev_2023')]).toEqual([0, 102]);
      await scene.abort();
    });
  });

  test('children that are foreign, unlogged or left out are neither published nor fenced, and hold no switch up', async ({
    source,
    target,
  }) => {
    await source.exec(`${TREE};
      CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
      CREATE TABLE log (id int PRIMARY KEY);
      CREATE TABLE log_out (PRIMARY KEY (id)) INHERITS (log);
      CREATE UNLOGGED TABLE log_unlogged () INHERITS (log);
      CREATE FOREIGN TABLE log_foreign () INHERITS (log) SERVER nowhere`);
    await withScene({ source, target }, async (scene) => {
      scene.settings = { ...scene.settings, scope: { schemas: undefined, exclude: ['public.log_out'] } };
      await scene.sync();
      expect(await published(source)).toEqual([{ tables: 'ev ev_2023 log part' }]);
      await source.exec('INSERT INTO log_out VALUES (1); INSERT INTO log VALUES (2)');
      const holder = await openSession(source.address);
      await holder.query('BEGIN; INSERT INTO log_out VALUES (3)');
      expect((await scene.cutover()).verification?.equal).toBe(true);
      await holder.query('COMMIT');
      await holder.end();
      await source.exec('INSERT INTO log_out VALUES (4)');
      await expect(source.exec('INSERT INTO log VALUES (5)')).rejects.toMatchObject({ code: '25006' });
      await expect(source.exec('INSERT INTO part_1 VALUES (600)')).rejects.toMatchObject({ code: '25006' });
      expect((await scene.rollback()).verification?.equal).toBe(true);
      await scene.abort();
    });
  });

  test('a row of a child with the same key is neither what stands in the way, nor taken away with it', async ({
    source,
    target,
  }) => {
    await source.exec(TREE);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const stray = "INSERT INTO ev VALUES (1000000, 'stray')";
      await target.exec(
        `BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL pgglide.passes_fence = on; ${stray}; COMMIT`,
      );
      await source.exec(
        "INSERT INTO ev_2023 VALUES (1000000, 'child'); INSERT INTO ev VALUES (1000000, 'real')",
      );
      const refused = await scene.sync().catch((error: PgglideError) => error);
      expect(refused).toMatchObject({ code: 'apply_stopped', facts: { table: 'public.ev' } });
      const [, remedy = ''] = /(BEGIN; .* COMMIT;)/.exec((refused as PgglideError).hint ?? '') ?? [];
      await target.exec(remedy);
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });
});
