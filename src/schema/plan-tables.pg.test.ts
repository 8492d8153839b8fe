import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { planTables } from './plan-tables.ts';

test('ordinary tables, roots with their leaves, inheritance children; columns that replication carries', async ({
  source,
}) => {
  await source.exec(`
    CREATE TABLE t (id int PRIMARY KEY, gone int, g int GENERATED ALWAYS AS (id * 2) STORED, "Odd "".name" text);
    ALTER TABLE t DROP COLUMN gone;
    CREATE TABLE p (id int, k text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
    CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (k);
    CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN ('a');
    CREATE TABLE parent (a int);
    CREATE TABLE child (b int) INHERITS (parent);
    CREATE TABLE empty ();
    INSERT INTO t (id, "Odd "".name") SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) AS i; ANALYZE t`);
  const plan = await planTables(source.connection);
  expect(
    plan.tables.map((table) => [
      table.name,
      table.isPartitioned,
      table.columns,
      table.heaps.map(({ name }) => name),
    ]),
  ).toEqual([
    ['child', false, ['a', 'b'], ['child']],
    ['empty', false, [], ['empty']],
    ['p', true, ['id', 'k'], ['p1', 'p2a']],
    ['parent', false, ['a'], ['parent']],
    ['t', false, ['id', 'Odd ".name'], ['t']],
  ]);
  const t = plan.tables.at(-1);
  expect(t?.rowEstimate).toBe(1000);
  expect(t?.heaps[0]?.bytes).toBe((t?.heaps[0]?.blocks ?? 0) * 8192);
  expect(t?.heaps[0]?.blocks).toBeGreaterThan(100);
});

const IDENTITIES = [
  ['CREATE TABLE t (id int PRIMARY KEY)', 'default'],
  ['CREATE TABLE t (id int)', 'none'],
  ['CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)', 'none'],
  ['CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING', 'none'],
  ['CREATE TABLE t (id int); ALTER TABLE t REPLICA IDENTITY FULL', 'full'],
  // The publisher takes it; the subscriber, which is not sent the column, finds no row by it.
  ['CREATE TABLE t (id int, g int GENERATED ALWAYS AS (id) STORED PRIMARY KEY)', 'none', true],
  [
    'CREATE TABLE t (id int, g int GENERATED ALWAYS AS (id) STORED PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY FULL',
    'none',
    true,
  ],
  ['CREATE TABLE t (id int, g int GENERATED ALWAYS AS (id) STORED, PRIMARY KEY (id) INCLUDE (g))', 'default'],
  [
    'CREATE TABLE t (id int NOT NULL); CREATE UNIQUE INDEX i ON t (id); ALTER TABLE t REPLICA IDENTITY USING INDEX i',
    'index',
  ],
  [
    'CREATE TABLE t (id int NOT NULL); CREATE UNIQUE INDEX i ON t (id); ALTER TABLE t REPLICA IDENTITY USING INDEX i; DROP INDEX i',
    'none',
  ],
  [
    'CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE l PARTITION OF t DEFAULT',
    'default',
  ],
  [
    'CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE l PARTITION OF t DEFAULT; ALTER TABLE l REPLICA IDENTITY NOTHING',
    'none',
  ],
  [
    'CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE l PARTITION OF t DEFAULT; ALTER TABLE l ADD PRIMARY KEY (id)',
    'none',
    // The leaf has an identity, but rows are described by the root, which has none.
    true,
  ],
] as const;

test('the replica identity is what the server takes it for', async ({ source }) => {
  await source.exec('CREATE PUBLICATION p WITH (publish_via_partition_root)');
  for (const [ddl, identity, isUpdatable = identity !== 'none'] of IDENTITIES) {
    await source.exec(ddl);
    const [table] = (await planTables(source.connection)).tables;
    expect.soft(table?.replicaIdentity, ddl).toBe(identity);
    await source.exec('INSERT INTO t VALUES (1); ALTER PUBLICATION p ADD TABLE t');
    const update = source.exec('UPDATE t SET id = 2').then(
      () => true,
      () => false,
    );
    expect.soft(await update, ddl).toBe(isUpdatable);
    await source.exec('DROP TABLE t');
  }
});

test('case 24: what stays behind is said, each with its reason', async ({ source }) => {
  await source.exec(`
    CREATE UNLOGGED TABLE scratch (a int);
    CREATE MATERIALIZED VIEW full_view AS SELECT 1;
    CREATE MATERIALIZED VIEW empty_view AS SELECT 1 WITH NO DATA;
    CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE left_out (id serial PRIMARY KEY);
    ALTER TABLE kept ADD FOREIGN KEY (id) REFERENCES left_out;
    INSERT INTO left_out DEFAULT VALUES; INSERT INTO kept VALUES (1);
    CREATE TABLE dup (a int); INSERT INTO dup VALUES (1), (1);
    CREATE PUBLICATION debezium FOR TABLE kept;
    CREATE TEMP TABLE passing (a int);
    SELECT lo_from_bytea(0, 'x')`);
  await expect(source.exec('CREATE UNIQUE INDEX CONCURRENTLY broken ON dup (a)')).rejects.toThrow();
  const plan = await planTables(source.connection, { exclude: ['public.left_out'] });
  expect(plan.tables.map(({ name }) => name)).toEqual(['dup', 'kept']);
  expect(plan.sequences).toEqual([]);
  expect(plan.notCarried.map(({ object }) => object).sort()).toEqual([
    'kept_id_fkey on public.kept',
    'large objects',
    'public.broken',
    'public.empty_view',
    'public.full_view',
    'public.left_out',
    'public.left_out_id_seq',
    'public.scratch',
    'publication debezium',
    'temporary tables',
  ]);
});

test('tables of extensions are the extensions’ own; a scope names schemas exactly', async ({ source }) => {
  await source.exec(`CREATE EXTENSION pg_stat_statements; CREATE SCHEMA "A.b"; CREATE SCHEMA a;
    CREATE TABLE "A.b"."c.d" (id int); CREATE SEQUENCE "A.b".q; CREATE TABLE a.x (id int); CREATE TABLE y (id int)`);
  const plan = await planTables(source.connection, { schemas: ['A.b'] });
  expect(plan.tables.map(({ schema, name }) => [schema, name])).toEqual([['A.b', 'c.d']]);
  expect(plan.sequences).toEqual([{ schema: 'A.b', name: 'q' }]);
  const excluded = await planTables(source.connection, { exclude: ['"A.b"."c.d"', 'a.x'] });
  expect(excluded.tables.map(({ name }) => name)).toEqual(['y']);
});

test('what must stay in one lane: foreign keys, also of partitions, and triggers that fire for the apply worker', async ({
  source,
}) => {
  await source.exec(`
    CREATE TABLE customer (id int PRIMARY KEY);
    CREATE TABLE orders (id int, at int, customer int REFERENCES customer, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10);
    CREATE TABLE note (id int PRIMARY KEY, order_id int, at int, FOREIGN KEY (order_id, at) REFERENCES orders_1 (id, at));
    CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);
    CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
    CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER told AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION told();
    CREATE TRIGGER told AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION told();
    CREATE TRIGGER told AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION told();
    ALTER TABLE b ENABLE ALWAYS TRIGGER told; ALTER TABLE c ENABLE REPLICA TRIGGER told;
    INSERT INTO customer VALUES (1), (2); INSERT INTO orders VALUES (1, 1, 1); UPDATE orders SET customer = 2; SELECT pg_stat_force_next_flush()`);
  const ties = async () =>
    (await planTables(source.connection)).tables.flatMap(({ name, tiedTo }) =>
      tiedTo === undefined ? [] : [[name, ...tiedTo.map((other) => other.name)]],
    );
  expect(await ties()).toEqual([
    ['c', 'b'],
    ['note', 'orders'],
    ['orders', 'customer'],
  ]);
  const writes = async () =>
    (await planTables(source.connection)).tables
      .filter(({ name }) => name === 'customer' || name === 'orders')
      .map(({ writeCount }) => writeCount);
  await expect.poll(writes, { timeout: 20_000 }).toEqual([2, 2]);
});
