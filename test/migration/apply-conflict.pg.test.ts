/** Case 12: a change that the target cannot apply stops the link, is named, and is mended or left out. */

import { describe, expect } from 'vitest';
import type { PgglideError } from '../../src/domain/errors.ts';
import { findApplyStop } from '../../src/postgres/apply-stop.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { existingLanes } from '../../src/postgres/lane.ts';
import type { Sql } from '../../src/postgres/sql.ts';
import type { Database } from '../support/database.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TABLES = `
  CREATE TABLE public."Order Line" (id int PRIMARY KEY, code text UNIQUE, n int);
  INSERT INTO "Order Line" SELECT g, 'c' || g, 0 FROM generate_series(1, 50) g`;

/** As somebody would who goes around the fence. */
const writeAround = (target: Database, statement: string) =>
  target.exec(
    `BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL pgglide.passes_fence = on; ${statement}; COMMIT`,
  );

/** The worker has failed at it: PostgreSQL tries again every few seconds. */
const stopped = (target: Database) =>
  expect
    .poll(() => target.rows('SELECT apply_error_count > 0 AS failed FROM pg_stat_subscription_stats'), {
      timeout: 20_000,
    })
    .toEqual([{ failed: true }]);

async function failure(work: Promise<unknown>): Promise<PgglideError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason as PgglideError,
  );
  if (error === undefined) throw new Error('It did not fail');
  return error;
}

const problemsOf = async (scene: Scene) => (await scene.status()).problems.join('\n');

/** The target follows, and then meets a row that is there already, behind a transaction that fits. */
async function stopAtRow(scene: Scene, source: Database, target: Database): Promise<void> {
  await source.exec(TABLES);
  await scene.sync();
  await writeAround(target, `INSERT INTO "Order Line" VALUES (100, 'stray', 1)`);
  await source.exec(`INSERT INTO "Order Line" VALUES (99, 'fits', 1)`);
  await source.exec(
    `BEGIN; INSERT INTO "Order Line" VALUES (98, 'too', 1); INSERT INTO "Order Line" VALUES (100, 'real', 2); COMMIT`,
  );
  await source.exec(`INSERT INTO "Order Line" VALUES (101, 'after', 1)`);
  await stopped(target);
}

describe('a row that is on the target already', () => {
  test('is named with position, table and key; taken away, sync goes on and both sides are equal', async ({
    source,
    target,
  }) => {
    await withScene({ source, target }, async (scene) => {
      await stopAtRow(scene, source, target);
      const problems = await problemsOf(scene);
      expect(problems).toMatch(
        /stopped at [0-9A-F]+\/[0-9A-F]+ \(transaction \d+ of the publisher, 2 changes\)/,
      );
      expect(problems).toContain(
        `the row of public."Order Line" with "id" = '100'::integer is there already`,
      );
      const error = await failure(scene.sync());
      expect(error).toMatchObject({
        code: 'apply_stopped',
        exitCode: 11,
        facts: { table: 'public."Order Line"', key: 'id=100', kind: 'row-exists' },
      });
      expect(await failure(scene.verify())).toMatchObject({
        code: 'apply_stopped',
        facts: { key: 'id=100' },
      });
      const [, remedy = ''] = /(BEGIN; .* COMMIT;)/.exec(error.hint ?? '') ?? [];
      await target.exec(remedy);
      await scene.sync();
      await scene.expectEqual();
      expect(await problemsOf(scene)).toBe('');
      await scene.abort();
    });
  });

  test('its transaction is left out on request, that one only, and an older verification no longer counts', async ({
    source,
    target,
  }) => {
    await withScene({ source, target }, async (scene) => {
      await stopAtRow(scene, source, target);
      const { facts } = await failure(scene.sync());
      const lsn = String(facts.lsn);
      await expect(scene.run((migration) => migration.sync({ skipLsn: '0/1' }))).rejects.toMatchObject({
        code: 'not_failing_transaction',
        exitCode: 7,
      });
      await scene.run((migration) => migration.sync({ skipLsn: lsn }));
      expect(await target.rows('SELECT id, code FROM "Order Line" WHERE id > 50 ORDER BY id')).toEqual([
        { id: 99, code: 'fits' },
        { id: 100, code: 'stray' },
        { id: 101, code: 'after' },
      ]);
      await expect(scene.run((migration) => migration.sync({ skipLsn: lsn }))).rejects.toMatchObject({
        code: 'nothing_to_skip',
      });
      expect((await scene.status()).verified).toBeUndefined();
      const { summary, differingRows } = await scene.verify();
      expect(summary.equal).toBe(false);
      expect(differingRows.map(({ kind }) => kind).sort()).toEqual(['changed', 'missing-on-target']);
      await scene.abort();
    });
  });

  test('a second unique key is told from the first, and a row deleted before in the transaction is no conflict', async ({
    source,
    target,
  }) => {
    await withScene({ source, target }, async (scene) => {
      await source.exec(TABLES);
      await scene.sync();
      await writeAround(target, `UPDATE "Order Line" SET code = 'taken' WHERE id = 7`);
      await source.exec(`BEGIN; DELETE FROM "Order Line" WHERE id = 3; INSERT INTO "Order Line" VALUES (3, 'c3', 9);
        INSERT INTO "Order Line" VALUES (200, 'taken', 1); COMMIT`);
      await stopped(target);
      expect(await problemsOf(scene)).toContain(`with "code" = 'taken'::text is there already`);
      await writeAround(target, `UPDATE "Order Line" SET code = 'c7' WHERE id = 7`);
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });
});

test('a transaction that is applied while it is looked at is not taken for one that its own rows stop', async ({
  source,
  target,
}) => {
  await withScene({ source, target }, async (scene) => {
    await stopAtRow(scene, source, target);
    await using publisher = await Connection.open(source.address, { purpose: 'test' });
    await using subscriber = await Connection.open(target.address, { purpose: 'test' });
    const [lane] = await existingLanes(publisher, scene.settings.migration, 'forward');
    if (lane === undefined) throw new Error('There is no lane');
    let mended = 0;
    const query = subscriber.query.bind(subscriber);
    // Once it is known which transaction it is, before its rows are looked for.
    subscriber.query = async <Row extends object>(statement: Sql) => {
      if (mended === 0 && statement.text.includes('FROM pg_index')) {
        mended += 1;
        await writeAround(target, `DELETE FROM "Order Line" WHERE id = 100`);
        await expect
          .poll(() => target.rows('SELECT id FROM "Order Line" WHERE id = 101'), { timeout: 20_000 })
          .toEqual([{ id: 101 }]);
      }
      return query<Row>(statement);
    };
    expect(await findApplyStop(publisher, subscriber, lane)).toBeUndefined();
    expect(mended).toBe(1);
    await scene.abort();
  });
});

test('of a large transaction only its beginning is fetched, and once: the slot is the worker’s', async ({
  source,
  target,
}) => {
  await withScene({ source, target }, async (scene) => {
    await source.exec(TABLES);
    await scene.sync();
    await writeAround(target, `INSERT INTO "Order Line" VALUES (107, 'stray', 1)`);
    await source.exec(`BEGIN; INSERT INTO "Order Line" VALUES (99, 'fits', 1); COMMIT;
      INSERT INTO "Order Line" SELECT g, 'n' || g, 0 FROM generate_series(101, 50000) g`);
    await stopped(target);
    await using publisher = await Connection.open(source.address, { purpose: 'test' });
    await using subscriber = await Connection.open(target.address, { purpose: 'test' });
    const [lane] = await existingLanes(publisher, scene.settings.migration, 'forward');
    if (lane === undefined) throw new Error('There is no lane');
    const fetched: number[] = [];
    const query = publisher.query.bind(publisher);
    publisher.query = async <Row extends object>(statement: Sql) => {
      const rows = await query<Row>(statement);
      if (statement.text.includes('peek')) fetched.push(rows.length);
      return rows;
    };
    for (const _ of ['once', 'and again']) {
      const stop = await findApplyStop(publisher, subscriber, lane);
      expect(stop?.transaction?.changeCount).toBe(49_900);
      expect(stop?.conflict).toMatchObject({ kind: 'row-exists', key: 'id=107' });
    }
    expect(fetched).toHaveLength(1);
    expect(fetched[0]).toBeLessThan(1_100);
    await scene.abort();
  });
});

test('a column that the target lacks is named', async ({ source, target }) => {
  await withScene({ source, target }, async (scene) => {
    await source.exec(TABLES);
    await scene.sync();
    await source.exec('ALTER TABLE "Order Line" ADD COLUMN extra int');
    await source.exec(`INSERT INTO "Order Line" VALUES (300, 'x', 1, 1)`);
    await stopped(target);
    expect(await problemsOf(scene)).toContain('public."Order Line" lacks column extra');
    await target.exec('ALTER TABLE "Order Line" ADD COLUMN extra int');
    await scene.sync();
    expect(await target.rows('SELECT extra FROM "Order Line" WHERE id = 300')).toEqual([{ extra: 1 }]);
    await scene.abort();
  });
});

test('a worker that works for a while before it fails each time is told from one that works, and its transaction is left out', async ({
  source,
  target,
}) => {
  await withScene({ source, target }, async (scene) => {
    await source.exec(`${TABLES};
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('session_replication_role') <> 'replica' THEN RETURN NEW; END IF;
        PERFORM pg_sleep(2);
        RAISE EXCEPTION 'not this one';
      END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON "Order Line" FOR EACH ROW WHEN (NEW.id = 300) EXECUTE FUNCTION refuse();
      ALTER TABLE "Order Line" ENABLE ALWAYS TRIGGER refuse`);
    await scene.sync();
    await source.exec(`INSERT INTO "Order Line" VALUES (300, 'x', 1)`);
    await stopped(target);
    const { code, facts } = await failure(scene.sync());
    expect(code).toBe('apply_stopped');
    await expect
      .poll(
        () =>
          target.rows(`
            SELECT b.backend_start < clock_timestamp() - interval '1 s' AS steady
            FROM pg_stat_subscription s JOIN pg_stat_activity b USING (pid)`),
        { timeout: 20_000, interval: 50 },
      )
      .toEqual([{ steady: true }]);
    await scene.run((migration) => migration.sync({ skipLsn: String(facts.lsn) }));
    expect(await target.rows('SELECT id FROM "Order Line" WHERE id = 300')).toEqual([]);
    await scene.abort();
  });
});
