/** Several lanes: one apply worker each, in both directions. */

import { describe, expect } from 'vitest';
import type { Settings } from '../../src/config/settings.ts';
import type { PgglideError } from '../../src/domain/errors.ts';
import { cutOff } from '../support/cut-off.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** Three tables that every transaction writes, a group that foreign keys tie together, and a partition tree. */
const SHOP = `
  CREATE TABLE entry_a (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE entry_b (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE entry_c (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE customer (id int PRIMARY KEY);
  CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer, t text);
  CREATE TABLE reading (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE reading_1 PARTITION OF reading FOR VALUES FROM (0) TO (10);
  CREATE TABLE reading_2 PARTITION OF reading FOR VALUES FROM (10) TO (20);
  INSERT INTO entry_a SELECT g, 1 FROM generate_series(-100, 0) g;
  INSERT INTO entry_b SELECT g, -2 FROM generate_series(-100, 0) g;
  INSERT INTO entry_c SELECT g, 1 FROM generate_series(-100, 0) g;
  INSERT INTO customer SELECT generate_series(1, 100);
  INSERT INTO orders SELECT g, 1 + g % 100, repeat('x', 100) FROM generate_series(1, 5000) g;
  INSERT INTO reading SELECT g, g % 20 FROM generate_series(1, 500) g`;

interface Ends {
  readonly source: Database;
  readonly target: Database;
}

const withLanes = (ends: Ends, replication: Settings['replication'], play: (scene: Scene) => Promise<void>) =>
  withScene(ends, async (scene) => {
    scene.settings = { ...scene.settings, replication };
    await play(scene);
  });

/** The tables of each lane of ours on that publisher, markers left out. */
const lanesOn = (publisher: Database) =>
  publisher.rows<{ lane: string; tables: string }>(`
    SELECT right(pubname, 5) AS lane, string_agg(tablename, ' ' ORDER BY tablename) FILTER (WHERE schemaname <> 'pgglide') AS tables
    FROM pg_publication_tables WHERE pubname LIKE 'pgglide_%' GROUP BY pubname ORDER BY pubname`);
const slotsOn = async (publisher: Database) =>
  (await publisher.rows('SELECT slot_name FROM pg_replication_slots WHERE database = current_database()'))
    .length;

/** Moves the source's WAL position on by 16 MB a time; hardly anything is written. */
async function writeWal(source: Database, segments: number): Promise<void> {
  for (let segment = 0; segment < segments; segment += 1)
    await source.exec("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'test', 'x')");
}

/** Writes through the proxy until it is stopped: each transaction changes rows of every lane. */
class Writer {
  readonly acknowledged: number[] = [];
  readonly failures: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(client: Awaited<ReturnType<typeof openSession>>) {
    this.#done = this.#write(client);
  }

  async #write(client: Awaited<ReturnType<typeof openSession>>): Promise<void> {
    for (let id = 1; !this.#stopped; id += 1) {
      try {
        await client.query('BEGIN');
        await client.query(`INSERT INTO entry_a VALUES (${id}, ${id})`);
        await client.query(`INSERT INTO entry_b VALUES (${id}, ${-2 * id})`);
        await client.query(`INSERT INTO entry_c VALUES (${id}, ${id})`);
        await client.query(`UPDATE entry_a SET amount = amount + 1 WHERE id = ${-(id % 100)}`);
        await client.query(`UPDATE entry_c SET amount = amount - 1 WHERE id = ${-(id % 100)}`);
        await client.query('COMMIT');
        this.acknowledged.push(id);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }

  /** Until so many more are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await expect.poll(() => this.acknowledged.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(wanted);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

describe('three lanes', { timeout: 300_000 }, () => {
  test('writes across them go over, back and over again: both sides equal, nothing lost or doubled', async ({
    source,
    target,
  }) => {
    const app = `${source.name}_app`;
    await source.exec(
      `${SHOP}; CREATE ROLE ${app} LOGIN PASSWORD 'app'; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${app}`,
    );
    await withLanes({ source, target }, { lanes: 3, divide: 'groups' }, async (scene) => {
      const client = await openSession({ ...source.address, ...scene.proxy, user: app, password: 'app' });
      const writer = new Writer(client);
      try {
        await writer.more(20);
        await scene.sync();
        const lanes = await lanesOn(source);
        expect(lanes.map(({ lane }) => lane)).toEqual(['fwd_1', 'fwd_2', 'fwd_3']);
        const together = lanes.find(({ tables }) => tables.split(' ').includes('customer'));
        expect(together?.tables.split(' ')).toContain('orders');
        for (const turn of ['cutover', 'rollback', 'cutover'] as const) {
          await writer.more(20);
          const { summary, verification } = await scene[turn]();
          expect(verification).toMatchObject({ equal: true, mode: 'pinned' });
          expect(summary.waits.failedRequests).toBe(0);
        }
        await writer.more(20);
        // As on the way out, lane by lane.
        const back = await lanesOn(target);
        expect(back.map(({ tables }) => tables)).toEqual(lanes.map(({ tables }) => tables));
        expect([await slotsOn(source), await slotsOn(target)]).toEqual([0, 3]);
      } finally {
        await writer.stop();
        await client.end();
      }
      expect(writer.failures).toEqual([]);
      await scene.expectEqual();
      for (const side of [source, target]) {
        for (const table of ['entry_a', 'entry_b', 'entry_c']) {
          const ids = await side.rows<{ id: number }>(`SELECT id FROM ${table} WHERE id > 0 ORDER BY id`);
          expect(ids.map(({ id }) => id)).toEqual(writer.acknowledged);
        }
        const sum = `SELECT sum(amount) AS sum FROM (TABLE entry_a UNION ALL TABLE entry_b UNION ALL TABLE entry_c) e`;
        expect(await side.rows(sum)).toEqual([{ sum: 0 }]);
      }
      await scene.rollback();
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('plan and status show each; a TRUNCATE ... CASCADE and rows that change their partition arrive', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withLanes({ source, target }, { lanes: 3, divide: 'groups' }, async (scene) => {
      const statements = async () => {
        const { sections } = await scene.run((migration) => migration.plan());
        return sections.flatMap(({ title, lines }) => [title, ...lines.map(({ statement }) => statement)]);
      };
      const before = await statements();
      expect(before).toContain('Lanes (3 of at most 3, divided by groups)');
      expect(before.filter((text) => text.includes('CREATE SUBSCRIPTION'))).toHaveLength(3);
      expect(before.filter((text) => text.includes('pg_copy_logical_replication_slot'))).toHaveLength(2);
      await scene.sync();
      expect(await statements()).toContain('Lanes');
      expect(
        await source.rows(
          'SELECT DISTINCT confirmed_flush_lsn IS NOT NULL AS stands FROM pg_replication_slots',
        ),
      ).toEqual([{ stands: true }]);

      await source.exec('TRUNCATE customer CASCADE');
      await source.exec('UPDATE reading SET at = 19 - at; INSERT INTO customer VALUES (7)');
      await source.exec("INSERT INTO orders VALUES (1, 7, 'new')");
      await scene.expectEqual();
      expect(await target.rows('SELECT count(*) FROM orders')).toEqual([{ count: 1 }]);

      const { link, problems } = await scene.status();
      expect(problems).toEqual([]);
      expect(link?.lanes.map(({ isStreaming, tables }) => [isStreaming, tables > 0])).toEqual(
        Array(3).fill([true, true]),
      );

      const told = () => scene.events.flatMap(({ type, data }) => (type === 'warning' ? [data.code] : []));
      expect(told()).not.toContain('lanes_stay');
      scene.settings = { ...scene.settings, replication: { lanes: 4, divide: 'groups' } };
      await scene.sync();
      expect(told()).toContain('lanes_stay');
      await scene.abort();
    });
  });

  test('the lag is that of the lane that is furthest behind, in bytes and in time', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withLanes({ source, target }, { lanes: 3, divide: 'groups' }, async (scene) => {
      await scene.sync();
      const holder = await openSession(target.address);
      await holder.query('BEGIN; LOCK TABLE entry_b IN SHARE ROW EXCLUSIVE MODE');
      await source.exec('UPDATE entry_b SET amount = amount; UPDATE entry_a SET amount = amount');
      const look = async () => (await scene.status()).link;
      await expect.poll(async () => ((await look())?.lagMs ?? 0) >= 1000, { timeout: 60_000 }).toBe(true);
      const link = await look();
      const lags = link?.lanes.map(({ lagBytes = 0 }) => lagBytes) ?? [];
      expect(link?.lagBytes).toBe(Math.max(...lags));
      const behind = link?.lanes.filter(({ lagMs = 0 }) => lagMs >= 1000);
      expect(behind).toMatchObject([{ lagMs: link?.lagMs, lagBytes: link?.lagBytes }]);
      await holder.end();
      await expect.poll(async () => ((await look())?.lagMs ?? 1e9) < 1000, { timeout: 60_000 }).toBe(true);
      await scene.abort();
    });
  });

  test('a copy that was cut off keeps its finished tables in their lanes; the rest are divided over new ones', async ({
    source,
    target,
  }) => {
    // Small tables are copied in one transaction: what is locked must be large.
    await source.exec(`${SHOP};
      CREATE TABLE big_1 (id int PRIMARY KEY, t text);
      INSERT INTO big_1 SELECT g, repeat('x', 500) FROM generate_series(1, 40000) g;
      CREATE TABLE big_2 AS TABLE big_1; ALTER TABLE big_2 ADD PRIMARY KEY (id)`);
    await withLanes({ source, target }, { lanes: 3, divide: 'groups' }, async (scene) => {
      scene.settings = { ...scene.settings, copy: { ...scene.settings.copy, jobs: 3 } };
      const holder = await openSession(target.address);
      await cutOff(scene, (event) => {
        if (event.type === 'step-finished' && event.data.step === 'load-schema')
          void holder.query('BEGIN; LOCK TABLE big_1, big_2 IN ACCESS EXCLUSIVE MODE');
        return event.type === 'copy-progress' && event.data.tablesDone === 6;
      });
      await holder.end();
      const finished =
        "SELECT table_name, at FROM pgglide.copied_part WHERE table_name LIKE 'entry%' ORDER BY 1";
      const before = await target.rows(finished);
      await source.exec('UPDATE entry_a SET amount = 5 WHERE id = -7; DELETE FROM big_1 WHERE id < 100');

      await scene.sync();
      expect(await target.rows(finished)).toEqual(before);
      const lanes = await lanesOn(source);
      expect(await target.rows('SELECT DISTINCT lane FROM pgglide.copy_table ORDER BY 1')).toEqual([
        { lane: 3 },
        { lane: 4 },
        { lane: 5 },
      ]);
      expect(lanes.map(({ lane }) => lane)).toEqual(['fwd_3', 'fwd_4', 'fwd_5']);
      await source.exec(
        "UPDATE entry_a SET amount = 6 WHERE id = -8; UPDATE big_2 SET t = 'y' WHERE id < 50; DELETE FROM reading",
      );
      await scene.expectEqual();

      await scene.cutover();
      // The way back has no more than were asked for.
      expect((await lanesOn(target)).map(({ lane }) => lane)).toEqual(['rev_1', 'rev_2', 'rev_3']);
      await target.exec(
        'DELETE FROM orders WHERE id < 9; UPDATE entry_c SET amount = 7; INSERT INTO reading VALUES (1, 1)',
      );
      expect((await scene.rollback()).verification?.equal).toBe(true);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('case 17: at the WAL limit the slots of all go; a lane that is lost later is told, and sync copies anew', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withLanes({ source, target }, { lanes: 3, divide: 'groups' }, async (scene) => {
      const { throttle } = scene.settings;
      scene.settings = { ...scene.settings, throttle: { ...throttle, maxWalRetainedBytes: 100 * 2 ** 20 } };
      const holder = await openSession(target.address);
      let pressed: Promise<void> | undefined;
      const stopped = scene.run((migration) => migration.sync(), {
        onEvent: (event) => {
          if (event.type === 'step-finished' && event.data.step === 'load-schema')
            void holder.query('BEGIN; LOCK TABLE orders');
          // The copy cannot get on.
          if (event.type === 'copy-progress') pressed ??= writeWal(source, 8);
        },
      });
      await expect(stopped).rejects.toMatchObject({ code: 'wal_limit_reached' });
      await pressed;
      await holder.end();
      expect(await slotsOn(source)).toBe(0);

      scene.settings = { ...scene.settings, throttle };
      await scene.sync();
      expect(await slotsOn(source)).toBe(3);
      const [{ subname } = { subname: '' }] = await target.rows<{ subname: string }>(
        "SELECT subname FROM pg_subscription WHERE subname LIKE 'pgglide_%' ORDER BY 1 OFFSET 1 LIMIT 1",
      );
      await target.exec(`ALTER SUBSCRIPTION ${subname} DISABLE`);
      await expect
        .poll(
          () =>
            source.rows(
              `SELECT pg_drop_replication_slot(slot_name)::text AS gone FROM pg_replication_slots WHERE slot_name = '${subname}' AND NOT active`,
            ),
          { timeout: 20_000 },
        )
        .toHaveLength(1);
      await source.exec(
        'UPDATE entry_a SET amount = 9; UPDATE entry_b SET amount = 9; UPDATE entry_c SET amount = 9',
      );
      const { problems } = await scene.status();
      expect(problems).toMatchObject([expect.stringContaining(`slot ${subname} is gone`)]);
      await scene.sync();
      await scene.expectEqual();
      expect(await slotsOn(source)).toBe(3);
      await scene.abort();
    });
  });
});

describe('divided by tables', { timeout: 300_000 }, () => {
  test('a TRUNCATE ... CASCADE across lanes stops one of them, which is named; left out there, the others are not touched', async ({
    source,
    target,
  }) => {
    await source.exec(SHOP);
    await withLanes({ source, target }, { lanes: 3, divide: 'tables' }, async (scene) => {
      await scene.sync();
      const lanes = await lanesOn(source);
      // The heaviest is alone; the foreign key does not count.
      expect(lanes.map(({ tables }) => tables)).toContain('orders');
      await source.exec('TRUNCATE customer CASCADE');
      await source.exec('DELETE FROM reading WHERE id < 10');
      const lane = lanes.find(({ tables }) => tables.includes('customer'))?.lane ?? '';
      await expect
        .poll(
          () =>
            target.rows<{ name: string }>(
              'SELECT right(subname, 5) AS name FROM pg_stat_subscription_stats WHERE apply_error_count > 1',
            ),
          { timeout: 60_000 },
        )
        .toEqual([{ name: lane }]);
      const stop = await scene.sync().catch((error: unknown) => error as PgglideError);
      expect(stop).toMatchObject({
        code: 'apply_stopped',
        message: expect.stringContaining(`${lane} stopped at`),
        facts: {
          subscription: expect.stringContaining(lane),
          lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
        },
      });
      // In a lane of its own, too.
      await expect
        .poll(() => target.rows('SELECT count(*) FROM reading'), { timeout: 60_000 })
        .toEqual([{ count: 491 }]);
      const { lsn } = (stop as PgglideError).facts as { lsn: string };
      await scene.run((migration) => migration.sync({ skipLsn: lsn }));
      const { summary } = await scene.verify();
      expect(summary.tables.filter(({ equal }) => !equal).map(({ table }) => table)).toEqual([
        'public.customer',
      ]);
      await scene.abort();
    });
  });
});
