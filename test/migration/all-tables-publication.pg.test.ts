import { expect } from 'vitest';
import { PUBLISHED_TABLES } from '../../src/domain/preflight/published-schema.ts';
import type { Database } from '../support/database.ts';
import { openSession, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { mend, troubles } from '../support/preflight.ts';

test('case 38: a native subscriber of a publication FOR ALL TABLES goes on through a migration', async ({
  source,
  target,
}) => {
  const pair = { source, target };
  await source.exec('CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION others FOR ALL TABLES');
  const third = `${source.name}_third`;
  await target.exec(`CREATE DATABASE ${third}`);
  const subscriber = await openSession({ ...target.address, database: third });
  const { port, user, password, database } = source.address;
  await subscriber.query('CREATE TABLE t (id int PRIMARY KEY)');
  await subscriber.query(`CREATE SUBSCRIPTION ${third}
    CONNECTION 'host=127.0.0.1 port=${port} user=${user} password=${password} dbname=${database}' PUBLICATION others`);
  await withScene(pair, async (scene) => {
    await expect(scene.sync()).rejects.toMatchObject({
      code: 'preflight_failed',
      message: expect.stringContaining('PGG186'),
    });
    const [finding] = await troubles(pair, 'PGG186');
    await subscriber.query(/CREATE SCHEMA.*\);/s.exec(finding?.detail ?? '')?.[0] ?? '');
    await mend(pair, finding);
    expect(await troubles(pair, 'PGG186')).toEqual([]);
    await scene.sync();
    await scene.cutover();
    await scene.rollback();
    await source.exec('INSERT INTO t VALUES (1)');
    await expect
      .poll(async () => (await subscriber.query('SELECT id FROM t')).rows, { timeout: 15_000 })
      .toEqual([{ id: 1 }]);
    expect(await columnsOf(source)).toEqual(await known(source, 'source'));
    expect(await columnsOf(target)).toEqual(await known(target, 'target'));
    await scene.abort();
  });
  await subscriber.query(`DROP SUBSCRIPTION ${third}`);
  await subscriber.end();
  await target.exec(`DROP DATABASE ${third}`);
});

const TABLES = `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attname) AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'pgglide'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' GROUP BY 1 ORDER BY 1`;

const columnsOf = (side: Database) => side.rows<{ name: string; columns: string[] }>(TABLES);

/** What subscribers are told to make, of those that are there. Columns that a later file takes away may stay. */
async function known(side: Database, which: 'source' | 'target') {
  const there = await columnsOf(side);
  return there.map(({ name, columns }) => ({
    name,
    columns: columns.filter((column) => PUBLISHED_TABLES[which][name]?.includes(column)),
  }));
}
