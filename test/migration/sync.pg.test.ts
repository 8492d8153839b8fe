import { describe, expect } from 'vitest';
import { SYNC_STEPS } from '../../src/migration/phases.ts';
import { installFile, missingFiles } from '../../src/state/install.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const SHOP = `
  CREATE TYPE public.mood AS ENUM ('calm', 'busy');
  CREATE TABLE public.customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood public.mood);
  CREATE TABLE public.orders (id serial PRIMARY KEY, customer bigint REFERENCES public.customer, total numeric);
  CREATE INDEX ON public.orders (customer);
  INSERT INTO public.customer (name, mood) SELECT 'c' || g, 'calm' FROM generate_series(1, 500) g;
  INSERT INTO public.orders (customer, total) SELECT 1 + g % 500, g FROM generate_series(1, 2000) g`;

const stepsThat = (scene: Scene, outcome: 'changed' | 'unchanged') =>
  scene.events.flatMap((event) =>
    event.type === 'step-finished' && event.data.outcome === outcome ? [event.data.step] : [],
  );

describe('sync', () => {
  test('copies, follows, and a second run changes nothing', async ({ source, target }) => {
    await source.exec(SHOP);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      expect(await target.rows('SELECT count(*) FROM orders')).toEqual([{ count: 2000 }]);
      await source.exec("INSERT INTO customer (name) VALUES ('late')");
      const verification = await scene.verify();
      expect(verification.summary).toMatchObject({ equal: true, mode: 'online' });
      expect(await target.rows("SELECT count(*) FROM customer WHERE name = 'late'")).toEqual([{ count: 1 }]);

      scene.events.length = 0;
      await scene.sync();
      expect(stepsThat(scene, 'changed')).toEqual([]);
      expect(stepsThat(scene, 'unchanged')).toHaveLength(SYNC_STEPS.length + 1);
      await scene.abort();
    });
  });

  test('the target is fenced until the cutover: a stray client gets a clear error, replication goes on', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await expect(target.exec("INSERT INTO customer (name) VALUES ('stray')")).rejects.toMatchObject({
        code: '25006',
      });
      await expect(target.exec('TRUNCATE orders')).rejects.toMatchObject({ code: '25006' });
      await source.exec("INSERT INTO customer (name) VALUES ('real')");
      await scene.expectEqual();
      await scene.abort();
    });
  });

  for (const { id } of SYNC_STEPS) {
    test(`stopped after "${id}", the same command goes on and ends equal`, async ({ source, target }) => {
      await source.exec(SHOP);
      await withScene({ source, target }, async (scene) => {
        const controller = new AbortController();
        const stopped = scene.run((migration) => migration.sync(), {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.type === 'step-finished' && event.data.step === id)
              controller.abort(new Error('stopped'));
          },
        });
        // The last steps may be through before anybody looks at the signal.
        await stopped.catch((error: Error) => expect(error.message).toBe('stopped'));
        scene.events.length = 0;
        await source.exec("INSERT INTO customer (name) VALUES ('between')");
        await scene.sync();
        expect(stepsThat(scene, 'unchanged')).toContain(id);
        await scene.expectEqual();
        await scene.abort();
      });
    });
  }

  test('a copy that was cut off keeps its finished tables, and copies the others in a lane of their own', async ({
    source,
    target,
  }) => {
    await source.exec(`${SHOP}; CREATE TABLE big (id int PRIMARY KEY, t text);
      INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, 40000) g`);
    await withScene({ source, target }, async (scene) => {
      const controller = new AbortController();
      const holder = await openSession(target.address);
      const stopped = scene.run((migration) => migration.sync(), {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-finished' && event.data.step === 'load-schema') {
            void holder.query('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE');
          }
          if (event.type === 'copy-progress' && event.data.tablesDone === 2)
            controller.abort(new Error('cut off'));
        },
      });
      await expect(stopped).rejects.toThrow('cut off');
      await holder.end();
      const before = await target.rows(
        "SELECT table_name, at FROM pgglide.copied_part WHERE table_name <> 'big' ORDER BY 1",
      );
      expect(before).toHaveLength(2);
      await source.exec("UPDATE customer SET name = 'changed' WHERE id = 7; DELETE FROM big WHERE id < 100");

      await scene.sync();
      const after = await target.rows(
        "SELECT table_name, at FROM pgglide.copied_part WHERE table_name <> 'big' ORDER BY 1",
      );
      expect(after).toEqual(before);
      expect(await target.rows('SELECT DISTINCT lane FROM pgglide.copy_table ORDER BY 1')).toEqual([
        { lane: 1 },
        { lane: 2 },
      ]);
      await source.exec(
        "UPDATE customer SET name = 'again' WHERE id = 8; INSERT INTO big VALUES (100000, 'y')",
      );
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('case 36: a partition made between the plan and the copy is copied too', async ({
    source,
    target,
  }) => {
    const partition = 'CREATE TABLE part_b PARTITION OF tree FOR VALUES FROM (100) TO (200)';
    await source.exec(`CREATE TABLE tree (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE part_a PARTITION OF tree FOR VALUES FROM (0) TO (100); INSERT INTO tree SELECT generate_series(0, 99)`);
    await withScene({ source, target }, async (scene) => {
      const controller = new AbortController();
      const stopped = scene.run((migration) => migration.sync(), {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-finished' && event.data.step === 'load-schema')
            controller.abort(new Error('stopped'));
        },
      });
      await expect(stopped).rejects.toThrow('stopped');
      await source.exec(`${partition}; INSERT INTO tree SELECT generate_series(100, 149)`);
      await target.exec(partition);
      // Made by hand before its root has a key there: it has none.
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'schema_differs',
        message: expect.stringContaining('part_b_pkey'),
      });
      await target.exec(
        'ALTER TABLE part_b ADD PRIMARY KEY (id); ALTER INDEX tree_pkey ATTACH PARTITION part_b_pkey',
      );
      await scene.sync();
      expect(await target.rows('SELECT count(*) FROM tree')).toEqual([{ count: 150 }]);
      await scene.abort();
    });
  });

  test('abort leaves nothing behind on either server, and says so after looking', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.run((migration) => migration.rehearse());
      expect(await scene.abort()).toEqual({ leftovers: [] });
      const left = `SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') AND relkind IN ('r', 'p', 'v', 'S')`;
      expect(await target.rows(left)).toEqual([]);
      expect(await target.rows("SELECT typname FROM pg_type WHERE typname = 'mood'")).toEqual([]);
      expect(await source.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'pgglide'")).toEqual([]);
      await source.exec("INSERT INTO customer (name) VALUES ('free again')");
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('abort after a sync that was stopped at its beginning takes our schema away, and never that of another migration', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    const schemas = "SELECT nspname FROM pg_namespace WHERE nspname = 'pgglide'";
    await withScene({ source, target }, async (scene) => {
      const { settings } = scene;
      // As a sync leaves it that is killed right after.
      for (const file of await missingFiles(source.connection, 'source'))
        await installFile(source.connection, file);
      for (const file of await missingFiles(target.connection, 'target'))
        await installFile(target.connection, file);
      expect((await scene.status()).phase).toBe('new');
      expect(await scene.abort()).toEqual({ leftovers: [] });
      expect([await source.rows(schemas), await target.rows(schemas)]).toEqual([[], []]);

      await scene.sync();
      scene.settings = { ...settings, migration: 'another' };
      const others = [`${settings.migration} (following)`];
      expect(await scene.abort()).toEqual({ leftovers: [], others });
      scene.settings = settings;
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('abort takes the database back from an owner that the sync has made, and the sync may begin anew', async ({
    source,
    target,
  }) => {
    const owner = `${source.name}_owner`;
    await source.exec(`${SHOP}; CREATE ROLE ${owner}; ALTER DATABASE ${source.name} OWNER TO ${owner};
      CREATE COLLATION german (provider = icu, locale = 'de'); CREATE TYPE span AS RANGE (subtype = float8)`);
    await withScene({ source, target }, async (scene) => {
      for (const _ of ['first', 'again']) {
        await scene.sync();
        expect(await scene.abort()).toEqual({ leftovers: [] });
        expect(await target.rows(`SELECT FROM pg_roles WHERE rolname = '${owner}'`)).toEqual([]);
      }
    });
  });
});
