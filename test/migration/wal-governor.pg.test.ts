/** Case 17: what a slot keeps must neither fill the source's disk nor be lost without anybody saying so. */

import { describe, expect } from 'vitest';
import type { MigrationEvent } from '../../src/domain/event.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TWO_TABLES = `
  CREATE TABLE small (id int PRIMARY KEY, t text);
  CREATE TABLE big (id int PRIMARY KEY, small int REFERENCES small, t text);
  INSERT INTO small SELECT g, 'small' FROM generate_series(1, 100) g;
  INSERT INTO big SELECT g, 1 + g % 100, repeat('x', 500) FROM generate_series(1, 5000) g`;
const MB = 2 ** 20;

/** Moves the source's WAL position on by 16 MB a time; hardly anything is written. */
async function writeWal(source: Database, segments: number): Promise<void> {
  for (let segment = 0; segment < segments; segment += 1)
    await source.exec("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'test', 'x')");
}

const slots = (source: Database) =>
  source.rows<{ slot_name: string }>(
    'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
  );
const warnings = ({ events }: Scene) =>
  events.flatMap((event) => (event.type === 'warning' ? [event.data.code] : []));
const setLimit = (scene: Scene, maxWalRetainedBytes: number) => {
  scene.settings = { ...scene.settings, throttle: { ...scene.settings.throttle, maxWalRetainedBytes } };
};
const isFinished = (event: MigrationEvent, step: string) =>
  event.type === 'step-finished' && event.data.step === step;

describe('the WAL that a slot keeps', () => {
  test('at the limit the copy stops and the slot goes; the next sync copies anew and ends equal', async ({
    source,
    target,
  }) => {
    await source.exec(TWO_TABLES);
    await withScene({ source, target }, async (scene) => {
      setLimit(scene, 100 * MB);
      const holder = await openSession(target.address);
      let pressed: Promise<void> | undefined;
      const stopped = scene.run((migration) => migration.sync(), {
        onEvent: (event) => {
          if (isFinished(event, 'load-schema')) void holder.query('BEGIN; LOCK TABLE big');
          // The copy cannot get on.
          if (event.type === 'copy-progress') pressed ??= writeWal(source, 8);
        },
      });
      await expect(stopped).rejects.toMatchObject({ code: 'wal_limit_reached', exitCode: 11 });
      await pressed;
      await holder.end();
      expect(await slots(source)).toEqual([]);
      await source.exec("UPDATE small SET t = 'later' WHERE id = 1; DELETE FROM big WHERE id = 2");

      setLimit(scene, 20_000 * MB);
      await scene.sync();
      await scene.expectEqual();
      expect(await target.rows('SELECT DISTINCT lane FROM pgglide.copy_table')).toHaveLength(1);
      expect(await slots(source)).toHaveLength(1);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('near the limit there is one warning, and sync goes on', async ({ source, target }) => {
    await source.exec(TWO_TABLES);
    await withScene({ source, target }, async (scene) => {
      setLimit(scene, 100 * MB);
      const holder = await openSession(target.address);
      let pressed: Promise<unknown> | undefined;
      await scene.run((migration) => migration.sync(), {
        onEvent: (event) => {
          if (isFinished(event, 'load-schema')) void holder.query('BEGIN; LOCK TABLE big');
          if (event.type === 'copy-progress') pressed ??= writeWal(source, 5);
          if (event.type === 'warning' && event.data.code === 'wal_near_limit') void holder.query('COMMIT');
        },
      });
      await pressed;
      await holder.end();
      expect(warnings(scene).filter((code) => code === 'wal_near_limit')).toHaveLength(1);
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('while indexes are built it counts too, and the next sync begins anew', async ({ source, target }) => {
    await source.exec(TWO_TABLES);
    await withScene({ source, target }, async (scene) => {
      setLimit(scene, 100 * MB);
      const holder = await openSession(target.address);
      let pressed: Promise<void> | undefined;
      const stopped = scene.run((migration) => migration.sync(), {
        onEvent: (event) => {
          if (isFinished(event, 'copy-tables'))
            void holder.query('BEGIN; LOCK TABLE big').then(() => (pressed = writeWal(source, 8)));
        },
      });
      await expect(stopped).rejects.toMatchObject({ code: 'wal_limit_reached' });
      await pressed;
      await holder.end();
      expect(await slots(source)).toEqual([]);
      await source.exec('DELETE FROM big WHERE id = 3');
      setLimit(scene, 20_000 * MB);
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });

  test('a slot that the server gave up while the target followed: status says so, sync copies anew', async ({
    source,
    target,
  }) => {
    await source.exec(TWO_TABLES);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      const [{ subname } = { subname: '' }] = await target.rows<{ subname: string }>(
        'SELECT subname FROM pg_subscription',
      );
      await target.exec(`ALTER SUBSCRIPTION ${subname} DISABLE`);
      await source.exec("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
      await source.exec('SELECT pg_reload_conf()');
      try {
        await source.exec("UPDATE small SET t = 'missed' WHERE id = 1");
        await expect
          .poll(
            async () => {
              await writeWal(source, 3);
              await source.exec('CHECKPOINT');
              return await source.rows('SELECT wal_status FROM pg_replication_slots');
            },
            { timeout: 20_000 },
          )
          .toEqual([{ wal_status: 'lost' }]);
      } finally {
        await source.exec('ALTER SYSTEM RESET max_slot_wal_keep_size');
        await source.exec('SELECT pg_reload_conf()');
      }
      const { problems } = await scene.status();
      expect(problems.join()).toContain('is lost');

      await source.exec('ALTER TABLE small ADD COLUMN added_meanwhile int DEFAULT 7');
      await scene.sync();
      expect(warnings(scene)).toContain('copied_anew');
      expect(await target.rows('SELECT t, added_meanwhile FROM small WHERE id = 1')).toEqual([
        { t: 'missed', added_meanwhile: 7 },
      ]);
      await scene.expectEqual();
      expect((await scene.status()).problems).toEqual([]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('a slot that somebody dropped after a rollback: both links are built anew', async ({
    source,
    target,
  }) => {
    await source.exec(TWO_TABLES);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await scene.rollback();
      const [{ subname } = { subname: '' }] = await target.rows<{ subname: string }>(
        'SELECT subname FROM pg_subscription',
      );
      await target.exec(`ALTER SUBSCRIPTION ${subname} DISABLE`);
      await expect
        .poll(() =>
          source
            .exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
            .then(() => 'gone', String),
        )
        .toBe('gone');
      await source.exec('DELETE FROM big WHERE id = 5');
      await scene.sync();
      await scene.expectEqual();

      await scene.cutover();
      await target.exec("INSERT INTO small VALUES (1000, 'on the new side')");
      await scene.rollback();
      expect(await source.rows('SELECT t FROM small WHERE id = 1000')).toEqual([{ t: 'on the new side' }]);
      await scene.abort();
    });
  });
});
