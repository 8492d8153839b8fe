import pg from 'pg';
import { describe, expect } from 'vitest';
import { sql } from '../../src/postgres/sql.ts';
import { TestDatabase } from './database.ts';
import { test } from './fixture.ts';

const serverOf = (database: { address: TestDatabase['address'] }, majorVersion: number) => ({
  majorVersion,
  address: { ...database.address, database: 'postgres' },
});

test('a test has a database of its own on each server', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (n bigint); INSERT INTO t VALUES (1), (2)');
  expect(await source.rows('SELECT n FROM t ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  const [tables] = await target.rows<{ n: number }>(
    "SELECT count(*) AS n FROM pg_class WHERE relnamespace = 'public'::regnamespace",
  );
  expect(tables?.n).toBe(0);
  expect(source.server.majorVersion).not.toBe(target.server.majorVersion);
});

test('what a test leaves behind is named, and removed all the same', async ({ source }) => {
  const database = await TestDatabase.create(serverOf(source, source.server.majorVersion), 'leaky');
  const { name, address } = database;
  await database.exec(`CREATE PUBLICATION p; CREATE ROLE ${name}_app`);
  await database.exec(`SELECT pg_create_logical_replication_slot('${name}_slot', 'pgoutput')`);
  await database.exec(
    `CREATE SUBSCRIPTION ${name}_sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false)`,
  );
  await database.exec(`BEGIN; PREPARE TRANSACTION '${name}_2pc'`);
  const forgotten = new pg.Client({
    ...address,
    password: address.password ?? '',
    application_name: 'forgotten',
  });
  forgotten.on('error', () => undefined);
  await forgotten.connect();
  await database.close();

  const leaks = await database.leaks([]);
  expect(leaks.map((leak) => leak.split(':')[0]).sort()).toEqual([
    'connections',
    'prepared transactions',
    'slots',
    'subscriptions',
  ]);
  expect(leaks.join()).toContain('forgotten');
  expect(leaks.join()).toContain(`${name}_slot`);
  expect(await database.leaks(['connections', 'prepared transactions', 'slots', 'subscriptions'])).toEqual(
    [],
  );

  await database.drop();
  await forgotten.end().catch(() => undefined);
  const [left] = await source.connection.query<{ n: number }>(sql`
    SELECT (SELECT count(*) FROM pg_database WHERE datname = ${name})
         + (SELECT count(*) FROM pg_roles WHERE starts_with(rolname, ${name}))
         + (SELECT count(*) FROM pg_replication_slots WHERE database = ${name}) AS n`);
  expect(left?.n).toBe(0);
});

test('a slot in use by a subscription of another server is removed too', async ({ source, target }) => {
  const [publisher, subscriber] = await Promise.all([
    TestDatabase.create(serverOf(source, source.server.majorVersion), 'publisher'),
    TestDatabase.create(serverOf(target, target.server.majorVersion), 'subscriber'),
  ]);
  await Promise.all([publisher, subscriber].map((one) => one.exec('CREATE TABLE t (id int PRIMARY KEY)')));
  await publisher.exec('CREATE PUBLICATION p FOR TABLE t');
  const { host, port, user, password } = publisher.address;
  const conninfo = `host=${host} port=${port} user=${user} password=${password} dbname=${publisher.name}`;
  await subscriber.exec(
    `CREATE SUBSCRIPTION ${subscriber.name} CONNECTION '${conninfo}' PUBLICATION p WITH (connect = false)`,
  );
  await publisher.exec(`SELECT pg_create_logical_replication_slot('${subscriber.name}', 'pgoutput')`);
  await subscriber.exec(`ALTER SUBSCRIPTION ${subscriber.name} ENABLE`);
  await expect
    .poll(
      () =>
        publisher.rows(`SELECT 1 FROM pg_replication_slots WHERE active AND database = '${publisher.name}'`),
      {
        timeout: 10_000,
      },
    )
    .toHaveLength(1);
  await publisher.close();
  await publisher.drop();
  await subscriber.close();
  await subscriber.drop();
  expect(
    await source.rows(`SELECT 1 FROM pg_replication_slots WHERE database = '${publisher.name}'`),
  ).toHaveLength(0);
});

test('own servers are there for crash tests', async ({ ownServers }) => {
  const [server] = await ownServers([15]);
  expect(server?.version).toMatch(/^15\.\d+$/);
});

describe('a test that says what it leaves', () => {
  test.override('leaves', ['slots']);
  test('may leave it', async ({ source }) => {
    await source.exec(`SELECT pg_create_logical_replication_slot('${source.name}', 'pgoutput')`);
  });
});
