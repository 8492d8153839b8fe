/** Case 15 and what no statement of ours may do: make the application wait behind it. */

import { describe, expect } from 'vitest';
import { openSession, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLES = `
  CREATE TABLE t (id int PRIMARY KEY, n int);
  INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g`;
/** A statement that stood behind us for that long would fail the test. */
const APPLICATION = "SET lock_timeout = '3s'";

describe('sync and the sessions of others on the source', () => {
  test('open readers and lock holders are no matter; a lock that excludes CREATE PUBLICATION holds up nobody but us', async ({
    source,
    target,
  }) => {
    await source.exec(TABLES);
    const [reader, holder, application] = await Promise.all([1, 2, 3].map(() => openSession(source.address)));
    if (!reader || !holder || !application) throw new Error('No sessions');
    try {
      await reader.query('BEGIN; SELECT FROM t; LOCK TABLE t IN ROW EXCLUSIVE MODE');
      await holder.query('BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE');
      await application.query(APPLICATION);
      await withScene({ source, target }, async (scene) => {
        let release: Promise<unknown> | undefined;
        const letGo = async () => {
          await application.query('UPDATE t SET n = n + 1; INSERT INTO t VALUES (1000, 1)');
          await holder.query('COMMIT');
        };
        await scene.run((migration) => migration.sync(), {
          onEvent: (event) => {
            if (event.type === 'step-waiting' && event.data.waitingFor.includes('lock')) release ??= letGo();
          },
        });
        expect(release, 'sync waited for the lock').toBeDefined();
        await release;
        await scene.expectEqual();
        await reader.query('COMMIT');
        await scene.abort();
      });
    } finally {
      await Promise.all([reader.end(), holder.end(), application.end()]);
    }
  });

  test('complete takes the fence from the active side without making its writers wait for a long reader', async ({
    source,
    target,
  }) => {
    await source.exec(TABLES);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      const [reader, application] = await Promise.all([
        openSession(target.address),
        openSession(target.address),
      ]);
      try {
        await reader.query('BEGIN; SELECT FROM t');
        await application.query(APPLICATION);
        let isDone = false;
        const completed = scene
          .run((migration) => migration.complete({ dropFence: true }))
          .finally(() => {
            isDone = true;
          });
        // Until it has come to the fence of the target and does not get on. Nobody else waits for that table yet.
        await expect
          .poll(
            async () => {
              const { rows } = await application.query(
                "SELECT FROM pg_locks WHERE NOT granted AND relation = 't'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
              );
              return rows.length;
            },
            { timeout: 20_000, interval: 10 },
          )
          .toBe(1);
        for (let n = 0; n < 20; n += 1) await application.query('UPDATE t SET n = n + 1 WHERE id = 1');
        expect(isDone).toBe(false);
        await reader.query('COMMIT');
        await completed;
        expect(await target.rows("SELECT FROM pg_trigger WHERE tgname = 'pgglide_fence'")).toEqual([]);
      } finally {
        await Promise.all([reader.end(), application.end()]);
      }
    });
  });
});

describe('a transaction that stays open (case 15)', () => {
  test('is named while the slot waits for it, and the copy begins when it is over', async ({
    source,
    target,
  }) => {
    await source.exec(TABLES);
    const writer = await openSession(source.address);
    try {
      await writer.query('BEGIN; UPDATE t SET n = 5 WHERE id = 5');
      await withScene({ source, target }, async (scene) => {
        let ended: Promise<unknown> | undefined;
        await scene.run((migration) => migration.sync(), {
          onEvent: (event) => {
            if (event.type === 'step-waiting' && /UPDATE t SET n = 5/.test(event.data.waitingFor))
              ended ??= writer.query('COMMIT');
          },
        });
        expect(ended, 'sync named the transaction').toBeDefined();
        await scene.expectEqual();
        await scene.abort();
      });
    } finally {
      await writer.end();
    }
  });

  test('prepared: sync names it, gives up in time and leaves no slot', async ({ source, target }) => {
    await source.exec(TABLES);
    const gid = `${source.name} open`;
    await source.exec(`BEGIN; UPDATE t SET n = 6 WHERE id = 6; PREPARE TRANSACTION '${gid}'`);
    await withScene({ source, target }, async (scene) => {
      const { settings } = scene;
      scene.settings = { ...settings, throttle: { ...settings.throttle, maxSlotWaitMs: 3_000 } };
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'slot_waits_for_transaction',
        hint: expect.stringContaining(`ROLLBACK PREPARED '${gid}'`),
      });
      const waits = scene.events.filter((event) => event.type === 'step-waiting').map((event) => event.data);
      expect(waits).toContainEqual({ step: 'copy-tables', waitingFor: expect.stringContaining(gid) });
      const slots = 'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()';
      expect(await source.rows(slots)).toEqual([]);

      await source.exec(`COMMIT PREPARED '${gid}'`);
      await scene.sync();
      await scene.expectEqual();
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });
});
