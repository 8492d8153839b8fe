/** DDL while the migration follows: told as it happens, by whom, once, until it is settled. */

import { expect } from 'vitest';
import type { SchemaChange } from '../../src/domain/schema-change.ts';
import type { Migration } from '../../src/migration/migration.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { trusted } from '../../src/postgres/sql.ts';
import { dumpSchema } from '../../src/schema/dump-schema.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { withSameDatabases } from '../support/several.ts';

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)';
const OURS = "SELECT evtname AS name FROM pg_event_trigger WHERE evtname ~ '^pgglide_' ORDER BY 1";
const ALL = ['ddl', 'drop', 'identity', 'keep_fence'].map((name) => ({ name: `pgglide_${name}` }));

/** The next comparison follows at once, but never takes more than a tenth of the time. */
const looking = (migration: Migration) =>
  expect.poll(async () => (await migration.status()).schemaChanges, { timeout: 60_000, interval: 100 });

const changesNow = async (migration: Migration): Promise<readonly SchemaChange[]> => {
  const { schemaChanges } = await migration.status();
  if (schemaChanges === undefined) throw new Error('not known');
  return schemaChanges;
};

const told = ({ events }: Scene): SchemaChange[] =>
  events.flatMap((event) => (event.type === 'schema-changed' ? [event.data] : []));

const journaled = ({ target }: { target: Database }) =>
  target.rows<{ side: string }>(
    "SELECT data->>'side' AS side FROM pgglide.event WHERE type = 'schema-changed'",
  );

test('case 14: DDL is told at once, once, with who ran it, until it is settled', async ({
  source,
  target,
}) => {
  await source.exec(
    `${TABLE}; CREATE ROLE "${source.name}_app" LOGIN PASSWORD 'a'; ALTER TABLE t OWNER TO "${source.name}_app"`,
  );
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.run(async (watching) => {
      const tell = async () => watching.tellSchemaChanges(await changesNow(watching));
      await looking(watching).toEqual([]);
      const app = await openSession({ ...source.address, user: `${source.name}_app`, password: 'a' });
      await app.query('ALTER TABLE t ADD note text').finally(() => app.end());

      await looking(watching).toMatchObject([
        {
          side: 'source',
          changes: expect.stringContaining('note'),
          statements: [{ command: 'ALTER TABLE', object: 'public.t', role: `${source.name}_app` }],
          statementCount: 1,
        },
      ]);
      const status = await watching.status();
      expect(status.problems.join()).toContain(`ALTER TABLE public.t by ${source.name}_app at `);
      expect(status.ready).toContainEqual({ name: 'schema as synced', ok: false });
      await tell();
      await tell();
      // As a follower that is started anew.
      await scene.run(async (other) => other.tellSchemaChanges(await changesNow(other)));
      expect(told(scene)).toHaveLength(1);
      expect(await journaled({ target })).toEqual([{ side: 'source' }]);

      await target.exec('ALTER TABLE t ADD note text');
      await scene.verify();
      await looking(watching).toEqual([]);
      await tell();
      expect(told(scene)).toHaveLength(1);

      // Back to what it was, and changed again: a change of its own.
      for (const side of [source, target]) await side.exec('ALTER TABLE t DROP note');
      await scene.sync();
      await looking(watching).toEqual([]);
      await source.exec('ALTER TABLE t ADD note text');
      await looking(watching).toHaveLength(1);
      await tell();
      expect(told(scene)).toHaveLength(2);
    });
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
  for (const side of [source, target]) expect(await side.rows(OURS)).toEqual([]);
});

test('a table that was made and dropped again is no change', async ({ source, target }) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.run(async (watching) => {
      await looking(watching).toEqual([]);
      await source.exec('CREATE TABLE staging (id int)');
      await looking(watching).toHaveLength(1);
      await source.exec('DROP TABLE staging');
      await looking(watching).toEqual([]);
    });
    await scene.abort();
  });
});

test('who looks again and again never waits for the comparison: a later look has it', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec('ALTER TABLE t ADD note text');
    await scene.run(async (watching) => {
      const glance = async () => (await watching.status({ schema: 'at-hand' })).schemaChanges;
      expect(await glance()).toBeUndefined();
      await expect.poll(glance, { timeout: 60_000, interval: 100 }).toMatchObject([{ side: 'source' }]);
    });
    await scene.abort();
  });
});

test('ours are in no dump, no finding and no difference, and go with complete', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    for (const side of [source, target]) expect(await side.rows(OURS)).toEqual(ALL);
    const dump = await dumpSchema(source.address, {});
    expect(dump.filter(({ sql }) => sql.includes('pgglide'))).toEqual([]);
    const findings = await scene.check();
    expect(findings.filter(({ title }) => /pgglide_d/.test(title))).toEqual([]);

    // With a new table the source is dumped once more.
    await source.exec('CREATE TABLE joined (id int PRIMARY KEY)');
    await scene.sync();
    expect(scene.events.filter(({ type }) => type === 'warning')).toEqual([]);

    await scene.cutover();
    await scene.run(async (watching) => {
      await looking(watching).toEqual([]);
      await target.exec('CREATE INDEX later ON t (id)');
      // The side that only follows notes nothing: the comparison alone sees it.
      await source.exec('CREATE INDEX astray ON t (id)');
      await looking(watching).toMatchObject([
        { side: 'source', statements: [] },
        { side: 'target', statements: [{ command: 'CREATE INDEX', object: 'public.later' }] },
      ]);
      expect(await source.rows('SELECT FROM pgglide.noted_ddl')).toEqual([]);
    });
    await source.exec('DROP INDEX astray; CREATE INDEX later ON t (id)');
    await scene.verify();
    await scene.rollback();
    await scene.run(async (watching) => {
      await looking(watching).toEqual([]);
      await source.exec('DROP INDEX later');
      await looking(watching).toMatchObject([
        { side: 'source', statements: [{ command: 'DROP INDEX', object: 'public.later' }] },
      ]);
    });
    await target.exec('DROP INDEX later');
    await scene.verify();
    await scene.cutover();
    await scene.run((migration) => migration.complete({ dropFence: false }));
    for (const side of [source, target]) expect(await side.rows(OURS)).toEqual([]);
    await source.exec('DROP SCHEMA pgglide CASCADE');
  });
});

test('sync puts them back that somebody dropped, and verify brings them to what an older version began', async ({
  source,
  target,
}) => {
  await source.exec(TABLE);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await target.exec('DROP EVENT TRIGGER pgglide_ddl');
    await scene.sync();
    expect(await target.rows(OURS)).toEqual(ALL);
    for (const side of [source, target])
      await side.exec(`DROP FUNCTION pgglide.note_ddl() CASCADE; DROP TABLE pgglide.noted_ddl;
        DROP SEQUENCE pgglide.noted_ddl_count; DELETE FROM pgglide.installed WHERE file = 'side-003.sql'`);
    expect(await scene.run(changesNow)).toEqual([]);
    await scene.verify();
    for (const side of [source, target]) expect(await side.rows(OURS)).toEqual(ALL);
    await scene.abort();
  });
});

test('of several databases it is told which one changed, once as well', { timeout: 180_000 }, async ({
  source,
  target,
}) => {
  await withSameDatabases({ source, target }, async (billing) => {
    await source.exec(TABLE);
    await billing.source.exec(TABLE);
    await withScene({ source, target }, async (scene) => {
      scene.settings = { ...scene.settings, otherDatabases: [billing.name] };
      await scene.sync();
      await billing.source.exec('ALTER TABLE t ADD note text');
      const tell = () =>
        scene.run(async (migration) => migration.tellSchemaChanges(await changesNow(migration)));
      await tell();
      await tell();
      expect(told(scene)).toMatchObject([
        { database: billing.name, side: 'source', statements: [{ object: 'public.t' }] },
      ]);
      const { problems } = await scene.status();
      expect(problems.join()).toContain(`${billing.name}: The schema of the source changed`);
      await billing.target.exec('ALTER TABLE t ADD note text');
      await scene.verify();
      expect(await scene.run(changesNow)).toEqual([]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
    for (const side of [billing.source, billing.target]) expect(await side.rows(OURS)).toEqual([]);
  });
});

test('where our role may not, that is told once, and a look compares', async ({ ownServers }) => {
  const [old, fresh] = await ownServers([16, 17]);
  if (old === undefined || fresh === undefined) throw new Error('no servers');
  const asAdmin = async (server: typeof old, database: string, ...scripts: string[]) => {
    await using session = await Connection.open(server.address(database), { purpose: 'test' });
    for (const script of scripts) await session.script(trusted(script));
  };
  const rights = `GRANT pg_create_subscription TO mover; GRANT CREATE ON DATABASE shop TO mover;
    GRANT EXECUTE ON FUNCTION pg_replication_origin_advance(text, pg_lsn) TO mover;
    GRANT EXECUTE ON FUNCTION pg_replication_origin_progress(text, boolean) TO mover`;
  for (const server of [old, fresh]) {
    await asAdmin(server, 'postgres', "CREATE ROLE mover LOGIN REPLICATION CREATEROLE PASSWORD 'm'");
    await asAdmin(server, 'postgres', 'CREATE DATABASE shop OWNER mover');
    await asAdmin(server, 'shop', rights);
  }
  await asAdmin(old, 'shop', 'SET ROLE mover; CREATE TABLE public.t (id int PRIMARY KEY)');
  const end = (server: typeof old) => ({
    address: { ...server.address('shop'), user: 'mover', password: 'm' },
  });
  await withScene({ source: end(old), target: end(fresh) }, async (scene) => {
    for (let run = 1; run <= 2; run++) await scene.sync();
    const warnings = scene.events.flatMap((event) => (event.type === 'warning' ? [event.data.code] : []));
    expect(warnings).toEqual(['ddl_noticed_late']);
    await asAdmin(old, 'shop', 'SET ROLE mover; ALTER TABLE public.t ADD note text');
    expect(await scene.run(changesNow)).toMatchObject([
      { side: 'source', statements: [], statementCount: 0 },
    ]);
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});
