import { describe, expect } from 'vitest';
import type { Database } from '../../../test/support/database.ts';
import { test } from '../../../test/support/fixture.ts';
import { mend, troubles } from '../../../test/support/preflight.ts';
import { SIDES } from '../../domain/names.ts';

test('case 24: an unlogged table is copied, not replicated, until it is logged', async ({
  source,
  target,
}) => {
  await source.exec('CREATE UNLOGGED TABLE "Cache" (id int)');
  const [finding] = await troubles({ source, target }, 'PGG160');
  expect(finding).toMatchObject({ severity: 'warning', object: 'public."Cache"' });
  expect(await troubles({ source, target }, 'PGG131')).toEqual([]);
  await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG160')).toEqual([]);
  expect(await troubles({ source, target }, 'PGG131')).toHaveLength(1);
});

test('case 24: large objects are counted', async ({ source, target }) => {
  expect(await troubles({ source, target }, 'PGG161')).toEqual([]);
  await source.exec("SELECT lo_from_bytea(0, 'x'), lo_from_bytea(0, 'y')");
  expect(await troubles({ source, target }, 'PGG161')).toMatchObject([
    { severity: 'warning', title: expect.stringMatching(/^2 large objects/) },
  ]);
});

test('case 24: materialized views and foreign tables are noted', async ({ source, target }) => {
  await source.exec(`CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
    CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
    CREATE FOREIGN TABLE f (a int) SERVER far`);
  const pair = { source, target };
  expect(await troubles(pair, 'PGG162')).toMatchObject([
    { severity: 'note', title: expect.stringContaining('public.m') },
  ]);
  expect(await troubles(pair, 'PGG163')).toMatchObject([
    { severity: 'note', title: expect.stringContaining('public.f') },
  ]);
});

describe('case 38: event triggers', () => {
  for (const side of SIDES) {
    test(`on the ${side}`, async ({ source, target }) => {
      const pair = { source, target };
      await pair[side].exec(`CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER "Watch ${pair[side].name}" ON ddl_command_end EXECUTE FUNCTION watch()`);
      const [finding, ...more] = await troubles(pair, 'PGG164');
      expect(more).toEqual([]);
      expect(finding).toMatchObject({ severity: 'warning', fixOn: side });
      await mend(pair, finding);
      expect(await troubles(pair, 'PGG164')).toEqual([]);
    });
  }
});

const slotOf = async (pair: { source: Database; target: Database }, name: string) =>
  (await troubles(pair, 'PGG167')).filter((finding) => finding.object === name);

test('case 38: publications, subscriptions and slots of others are listed', async ({ source, target }) => {
  const pair = { source, target };
  const name = `${source.name}_sub`;
  await source.exec('CREATE PUBLICATION debezium; CREATE PUBLICATION pgglide_x_fwd_1');
  await source.exec(`CREATE SUBSCRIPTION ${name} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p
    WITH (connect = false, slot_name = NONE)`);
  await target.exec('CREATE PUBLICATION theirs');
  expect(await troubles(pair, 'PGG165')).toMatchObject([
    { severity: 'note', detail: 'debezium' },
    { severity: 'note', detail: 'theirs' },
  ]);
  expect(await troubles(pair, 'PGG166')).toEqual([]);
  await source.exec(`ALTER SUBSCRIPTION ${name} SET (slot_name = '${name}')`);
  await source.exec(`ALTER SUBSCRIPTION ${name} ENABLE`);
  const [finding] = await troubles(pair, 'PGG166');
  expect(finding).toMatchObject({ severity: 'warning', object: name, fixOn: 'source' });
  await mend(pair, finding);
  expect(await troubles(pair, 'PGG166')).toEqual([]);
  await source.exec(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
  await source.exec(`DROP SUBSCRIPTION ${name}`);
});

test('case 17: a slot that nobody reads is found and dropped', async ({ source, target }) => {
  const pair = { source, target };
  const name = `${target.name}_left`;
  await target.exec(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  const [finding] = await slotOf(pair, name);
  expect(finding).toMatchObject({ severity: 'warning', fixOn: 'target' });
  expect(finding?.title).toMatch(/has no consumer, holding .* of WAL$/);
  await mend(pair, finding);
  expect(await slotOf(pair, name)).toEqual([]);
});

describe('case 33: extensions', () => {
  test('other versions and dangerous ones', async ({ source, target }) => {
    await source.exec(`CREATE EXTENSION pg_trgm VERSION '1.5'; CREATE EXTENSION citext`);
    expect(await troubles({ source, target }, 'PGG110')).toEqual([]);
    expect(await troubles({ source, target }, 'PGG111')).toMatchObject([
      { severity: 'note', title: expect.stringMatching(/pg_trgm 1\.5 -> 1\.\d+/) },
    ]);
  });

  test('an extension that the target cannot install', async ({ source, target }) => {
    await source.exec('CREATE EXTENSION citext');
    // As on a host where its package is missing: the row is what CREATE EXTENSION leaves, under another name.
    await source.exec("UPDATE pg_extension SET extname = 'pg_cron' WHERE extname = 'citext'");
    const pair = { source, target };
    expect(await troubles(pair, 'PGG110')).toMatchObject([{ severity: 'blocker', object: 'pg_cron' }]);
    expect(await troubles(pair, 'PGG112')).toMatchObject([{ severity: 'warning', object: 'pg_cron' }]);
    await source.exec('DROP EXTENSION pg_cron');
    expect(await troubles(pair, 'PGG110')).toEqual([]);
  });

  test("rows in an extension's own tables", async ({ source, target }) => {
    await source.exec(`CREATE EXTENSION citext; CREATE TABLE conf (a int PRIMARY KEY); INSERT INTO conf VALUES (1);
      ANALYZE conf; ALTER EXTENSION citext ADD TABLE conf;
      UPDATE pg_extension SET extconfig = ARRAY['conf'::regclass::oid], extcondition = ARRAY['']
      WHERE extname = 'citext'`);
    expect(await troubles({ source, target }, 'PGG169')).toMatchObject([{ object: 'public.conf' }]);
  });
});

test('a stale collation on the source is refreshed', async ({ source, target }) => {
  await source.exec(`CREATE COLLATION "German" (provider = icu, locale = 'de');
    CREATE TABLE t (id int PRIMARY KEY, a text COLLATE "German");
    UPDATE pg_collation SET collversion = '1' WHERE collname = 'German'`);
  const [finding] = await troubles({ source, target }, 'PGG117');
  expect(finding).toMatchObject({ severity: 'warning', object: 'public."German"' });
  await mend({ source, target }, finding);
  expect(await troubles({ source, target }, 'PGG117')).toEqual([]);
});
