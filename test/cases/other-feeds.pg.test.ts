import { expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Database } from '../support/database.ts';
import { withDatabase } from '../support/fixture.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { troubles } from '../support/preflight.ts';

const conninfo = ({ address, name }: Database) =>
  `host=${address.host} port=${address.port} user=${address.user} password=${address.password} dbname=${name}`;

const subscribe = (publisher: Database, name: string, more = '') =>
  `CREATE SUBSCRIPTION ${name} CONNECTION '${conninfo(publisher)}' PUBLICATION feed
   WITH (copy_data = false, create_slot = false, slot_name = '${name}'${more})`;

const publish = async (publisher: Database, name: string) => {
  await publisher.exec('CREATE PUBLICATION feed FOR TABLE item');
  await publisher.exec(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
};

/** Its slot stays on the publisher: for whoever takes it over, or for the test's end. */
const drop = async (subscriber: Database, name: string) => {
  await subscriber.exec(`ALTER SUBSCRIPTION ${name} DISABLE`);
  await subscriber.exec(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
  await subscriber.exec(`DROP SUBSCRIPTION ${name}`);
};

const arrives = (side: Database, id: number) =>
  until(`row ${id}`, async () => (await side.rows(`SELECT FROM item WHERE id = ${id}`))[0], {
    timeoutMs: 60_000,
  });

const found = (source: Database, target: Database) => troubles({ source, target }, 'PGG166');

const ITEM = 'CREATE TABLE item (id int PRIMARY KEY)';
const NOT_READY = { code: 'not_ready', facts: { reasons: ['feeds'] } };

test('case 23: a source that subscribes to others: their rows are carried on, and the switch waits for the hand-over, there and back', {
  timeout: 240_000,
}, async ({ source, target }) => {
  const server = { majorVersion: 16, address: { ...target.address, database: 'postgres' } };
  await withDatabase(server, 'elsewhere', ['slots'], async (elsewhere) => {
    const name = `${source.name}_feed`;
    await elsewhere.exec(ITEM);
    await publish(elsewhere, name);
    await source.exec(ITEM);
    await source.exec(subscribe(elsewhere, name));
    await withScene({ source, target }, async (scene) => {
      const [finding] = await found(source, target);
      expect(finding).toMatchObject({ severity: 'warning', object: name });
      expect(finding?.title).toContain('hand it over');
      await scene.sync();
      await elsewhere.exec('INSERT INTO item VALUES (1)');
      await arrives(target, 1);

      await expect(scene.cutover()).rejects.toMatchObject(NOT_READY);
      await source.exec(`ALTER SUBSCRIPTION ${name} DISABLE`);
      const [origin] = await source.rows<{ lsn: string }>(
        `SELECT o.remote_lsn::text AS lsn FROM pg_replication_origin_status o JOIN pg_subscription s ON o.external_id = 'pg_' || s.oid WHERE subname = '${name}'`,
      );
      await scene.cutover();
      await target.exec(subscribe(elsewhere, name, ', enabled = false'));
      await target.exec(
        `SELECT pg_replication_origin_advance('pg_' || oid, '${origin?.lsn}') FROM pg_subscription WHERE subname = '${name}'`,
      );
      await drop(source, name);
      await target.exec(`ALTER SUBSCRIPTION ${name} ENABLE`);
      await elsewhere.exec('INSERT INTO item VALUES (2)');
      await arrives(source, 2);
      expect(await target.rows('SELECT id FROM item ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);

      await expect(scene.rollback()).rejects.toMatchObject(NOT_READY);
      await drop(target, name);
      await scene.rollback();
      expect(await source.rows('SELECT id FROM item ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });
});

test('case 23: a source that subscribes to the target is a blocker: every row would come back', async ({
  source,
  target,
}) => {
  const name = `${source.name}_loop`;
  for (const side of [source, target]) await side.exec(ITEM);
  await publish(target, name);
  await source.exec(subscribe(target, name));
  expect(await found(source, target)).toMatchObject([
    { severity: 'blocker', object: name, title: expect.stringContaining('rows would come back') },
  ]);
  await drop(source, name);
  await target.exec(`SELECT pg_drop_replication_slot('${name}')`);
  expect(await found(source, target)).toEqual([]);
});
