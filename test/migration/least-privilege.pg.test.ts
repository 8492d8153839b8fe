/** Neither role is a superuser, as on a managed service: what `check` asks for is enough. */

import { expect } from 'vitest';
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { trusted } from '../../src/postgres/sql.ts';
import { test } from '../support/fixture.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';

const MOVER = "CREATE ROLE mover LOGIN REPLICATION CREATEROLE PASSWORD 'm'";
const SUBSCRIBER = `GRANT pg_create_subscription TO mover; GRANT CREATE ON DATABASE shop TO mover;
  GRANT EXECUTE ON FUNCTION pg_replication_origin_advance(text, pg_lsn) TO mover;
  GRANT EXECUTE ON FUNCTION pg_replication_origin_progress(text, boolean) TO mover`;
const ROLES =
  "CREATE ROLE app LOGIN PASSWORD 'a'; CREATE ROLE deputy; CREATE ROLE reader; CREATE ROLE elsewhere LOGIN";
/** One grant is somebody's who was only allowed to pass it on. */
const SHOP = `CREATE EXTENSION citext; SET ROLE app; CREATE SCHEMA s;
  CREATE TABLE s.item (id serial PRIMARY KEY, name text); CREATE UNLOGGED TABLE s.cache (id int PRIMARY KEY);
  GRANT USAGE ON SCHEMA s TO deputy; GRANT SELECT ON s.item TO deputy WITH GRANT OPTION;
  SET ROLE deputy; GRANT SELECT ON s.item TO reader; SET ROLE app;
  CREATE VIEW s.named AS SELECT * FROM s.item; CREATE MATERIALIZED VIEW s.counted AS SELECT count(*) FROM s.item;
  INSERT INTO s.item (name) SELECT 'i' || n FROM generate_series(1, 100) n; INSERT INTO s.cache VALUES (1)`;

async function asAdmin(server: EmbeddedServer, database: string, ...scripts: string[]): Promise<void> {
  await using session = await Connection.open(server.address(database), { purpose: 'test' });
  for (const script of scripts) await session.script(trusted(script));
}

test('check, sync, verify and abort, with the owner of all still to be made on the target; a source before 16 asks for a superuser', async ({
  ownServers,
}) => {
  const [old, fresh] = await ownServers([14, 17]);
  if (old === undefined || fresh === undefined) throw new Error('no servers');
  await asAdmin(old, 'postgres', `${MOVER} SUPERUSER`, ROLES, 'CREATE DATABASE shop OWNER app');
  await asAdmin(old, 'shop', SHOP);
  await asAdmin(fresh, 'postgres', MOVER, 'CREATE DATABASE shop');
  await asAdmin(fresh, 'shop', SUBSCRIBER);
  const mover = (server: typeof old) => ({
    address: { ...server.address('shop'), user: 'mover', password: 'm' },
  });

  await withScene({ source: mover(old), target: mover(fresh) }, async (scene) => {
    // What everybody may in the schema public of 14 the database's owner must say again.
    expect(await mendBlockers(scene, { source: old, target: fresh })).toEqual(['PGG175 target']);
    await scene.sync();
    await asAdmin(old, 'shop', "INSERT INTO s.item (name) VALUES ('late')");
    await scene.expectEqual();
    for (const server of [old, fresh])
      expect(await grantorOf(server, 'reader')).toEqual([{ grantor: 'deputy' }]);
    expect(await scene.abort()).toEqual({ leftovers: ['target: not taken back: GRANT ON SCHEMA public'] });
  });
  await using session = await Connection.open(fresh.address('shop'), { purpose: 'test' });
  expect(await session.query(trusted("SELECT FROM pg_roles WHERE rolname = 'app'"))).toEqual([]);
});

async function grantorOf(server: EmbeddedServer, grantee: string): Promise<unknown[]> {
  await using session = await Connection.open(server.address('shop'), { purpose: 'test' });
  return await session.query(
    trusted(`SELECT pg_get_userbyid(a.grantor) AS grantor FROM pg_class, aclexplode(relacl) AS a
      WHERE a.grantee = '${grantee}'::regrole`),
  );
}

/** A superuser of each side says what `check` asks for, until it asks for nothing more. */
async function mendBlockers(scene: Scene, servers: Readonly<Record<'source' | 'target', EmbeddedServer>>) {
  const mended: string[] = [];
  for (;;) {
    const findings = await scene.check();
    const blockers = findings.filter(({ severity }) => severity === 'blocker');
    if (blockers.length === 0) return mended.sort();
    for (const { id, title, fix, fixOn } of blockers) {
      if (fix === undefined || (fixOn !== 'source' && fixOn !== 'target')) throw new Error(`${id}: ${title}`);
      const key = `${id} ${fixOn}`;
      if (mended.includes(key)) throw new Error(`${key} is not mended by ${fix}`);
      mended.push(key);
      await asAdmin(servers[fixOn], 'shop', fix);
    }
  }
}

async function leftOn(server: EmbeddedServer): Promise<unknown[]> {
  await using session = await Connection.open(server.address('shop'), { purpose: 'test' });
  return await session.query(
    trusted(`SELECT slot_name AS name FROM pg_replication_slots UNION ALL SELECT subname FROM pg_subscription
      UNION ALL SELECT pubname FROM pg_publication UNION ALL SELECT roname FROM pg_replication_origin
      UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ 'pgglide'`),
  );
}

test('there, back, there again and complete, with nothing but the fixes of check', {
  timeout: 240_000,
}, async ({ ownServers }) => {
  const [source, target] = await ownServers([16, 17]);
  if (source === undefined || target === undefined) throw new Error('no servers');
  const mover = "CREATE ROLE mover LOGIN CREATEROLE CREATEDB PASSWORD 'm'";
  await asAdmin(source, 'postgres', mover, ROLES, 'CREATE DATABASE shop OWNER app');
  await asAdmin(source, 'shop', SHOP, "RESET ROLE; ALTER ROLE app SET log_min_duration_statement = '5s'");
  await asAdmin(target, 'postgres', mover, 'CREATE DATABASE shop');
  // Without it the application's role would come without its password (PGG177).
  for (const server of [source, target]) await asAdmin(server, 'shop', 'GRANT SELECT ON pg_authid TO mover');
  const end = (server: EmbeddedServer) => ({
    address: { ...server.address('shop'), user: 'mover', password: 'm' },
  });

  await withScene({ source: end(source), target: end(target) }, async (scene) => {
    expect(await mendBlockers(scene, { source, target })).toEqual([
      'PGG170 source',
      'PGG170 target',
      'PGG171 source',
      'PGG172 source',
      'PGG173 source',
      'PGG173 target',
      'PGG175 target',
      'PGG176 source',
      'PGG176 target',
    ]);
    await scene.sync();
    const client = await openSession({ ...end(source).address, ...scene.proxy, user: 'app', password: 'a' });
    try {
      for (const direction of ['cutover', 'rollback', 'cutover'] as const) {
        await client.query('INSERT INTO s.item (name) VALUES ($1)', [`before the ${direction}`]);
        const { verification } = await scene[direction]();
        expect(verification, direction).toMatchObject({ equal: true, sequencesEqual: true });
        await client.query('INSERT INTO s.item (name) VALUES ($1)', [`after the ${direction}`]);
        expect((await scene.verify()).summary, direction).toMatchObject({
          equal: true,
        });
      }
      expect((await client.query('SELECT count(*)::int AS n FROM s.item')).rows).toEqual([{ n: 106 }]);
      const completed = await scene.run((migration) => migration.complete({ dropFence: true }));
      expect(completed).toEqual({ fenceKept: false });
      for (const server of [source, target]) expect(await leftOn(server)).toEqual([]);
    } finally {
      await client.end();
    }
  });
});
