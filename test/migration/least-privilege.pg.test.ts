/** Neither role is a superuser, as on a managed service: what `check` asks for is enough. */

import { expect } from 'vitest';
import { Connection } from '../../src/postgres/connection.ts';
import { trusted } from '../../src/postgres/sql.ts';
import { test } from '../support/fixture.ts';
import { withScene } from '../support/migration.ts';

const MOVER = "CREATE ROLE mover LOGIN REPLICATION CREATEROLE PASSWORD 'm'";
const SUBSCRIBER = `GRANT pg_create_subscription TO mover; GRANT CREATE ON DATABASE shop TO mover;
  GRANT EXECUTE ON FUNCTION pg_replication_origin_advance(text, pg_lsn) TO mover;
  GRANT EXECUTE ON FUNCTION pg_replication_origin_progress(text, boolean) TO mover`;
const SHOP = `CREATE EXTENSION citext; SET ROLE app; CREATE SCHEMA s;
  CREATE TABLE s.item (id serial PRIMARY KEY, name text); CREATE UNLOGGED TABLE s.cache (id int PRIMARY KEY);
  CREATE VIEW s.named AS SELECT * FROM s.item; CREATE MATERIALIZED VIEW s.counted AS SELECT count(*) FROM s.item;
  INSERT INTO s.item (name) SELECT 'i' || n FROM generate_series(1, 100) n; INSERT INTO s.cache VALUES (1)`;

test('check, sync, verify and abort, with the owner of all still to be made on the target', async ({
  ownServers,
}) => {
  const [old, fresh] = await ownServers([16, 17]);
  if (old === undefined || fresh === undefined) throw new Error('no servers');
  const asAdmin = async (server: typeof old, database: string, ...scripts: string[]) => {
    await using session = await Connection.open(server.address(database), { purpose: 'test' });
    for (const script of scripts) await session.script(trusted(script));
  };
  await asAdmin(old, 'postgres', MOVER, 'CREATE ROLE app LOGIN', 'CREATE DATABASE shop OWNER app');
  await asAdmin(old, 'shop', SUBSCRIBER, 'GRANT app, pg_read_all_data TO mover', SHOP);
  await asAdmin(fresh, 'postgres', MOVER, 'CREATE DATABASE shop');
  await asAdmin(fresh, 'shop', SUBSCRIBER);
  const mover = (server: typeof old) => ({
    address: { ...server.address('shop'), user: 'mover', password: 'm' },
  });

  await withScene({ source: mover(old), target: mover(fresh) }, async (scene) => {
    const findings = await scene.run((migration) => migration.check());
    expect(findings.filter(({ severity }) => severity === 'blocker')).toEqual([]);
    await scene.run((migration) => migration.sync());
    await asAdmin(old, 'shop', "INSERT INTO s.item (name) VALUES ('late')");
    expect((await scene.run((migration) => migration.verify())).summary).toMatchObject({ equal: true });
    expect(await scene.run((migration) => migration.abort())).toEqual({ leftovers: [] });
  });
  await using session = await Connection.open(fresh.address('shop'), { purpose: 'test' });
  expect(await session.query(trusted("SELECT FROM pg_roles WHERE rolname = 'app'"))).toEqual([]);
});
