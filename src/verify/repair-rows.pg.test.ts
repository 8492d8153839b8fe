import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Link, MARKER, tamper, Writer } from '../../test/support/link-by-hand.ts';
import type { PlannedTable } from '../domain/plan.ts';
import { planTables } from '../schema/plan-tables.ts';
import { repairRows } from './repair-rows.ts';
import { verifyOnline } from './verify-online.ts';

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('a', 'b');
  CREATE TABLE owner (id int PRIMARY KEY);
  CREATE TABLE account (
    id int GENERATED ALWAYS AS IDENTITY, region text, owner int REFERENCES owner, code text UNIQUE,
    amount numeric, mood mood, tags text[], doc jsonb, raw bytea, padded char(5), at timestamptz, span interval,
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
    PRIMARY KEY (region, id));
  INSERT INTO owner VALUES (1);
  INSERT INTO account (region, owner, code, amount, mood, tags, doc, raw, padded, at, span)
  SELECT 'r''"', 1, 'code ' || n, n + 0.10, 'a', ARRAY['x,y', NULL], '{"n": 1.00}', '\\x00ff', 'p', 'infinity', '1 mon -2 days'
  FROM generate_series(1, 300) n`;

async function tablesOf(source: Database): Promise<PlannedTable[]> {
  const { tables } = await planTables(source.connection);
  return tables.filter(({ name }) => name !== MARKER.name);
}

const pair = (source: Database, target: Database, link: Link) => ({
  source: source.address,
  target: target.address,
  publisher: 'source' as const,
  waitForArrival: link.waitForArrival,
});

test('rows are made as the publisher has them, under load, and nothing else is touched', async ({
  source,
  target,
}) => {
  await Promise.all([source.exec(SCHEMA), target.exec(SCHEMA)]);
  await target.exec(`CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$;
    CREATE TRIGGER shout BEFORE INSERT OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION shout()`);
  await using link = await Link.start(source, target);
  await using writer = await Writer.start(
    source,
    (n) => `UPDATE public.account SET amount = amount + 1 WHERE id = ${1 + (n % 20)}`,
  );
  await tamper(target, `UPDATE account SET code = 'swap' WHERE id = 100`);
  await tamper(target, `UPDATE account SET code = 'code 100', amount = amount + 0.0 WHERE id = 101`);
  await tamper(target, `UPDATE account SET code = 'code 101', mood = 'b', tags = NULL WHERE id = 100`);
  await tamper(target, `DELETE FROM account WHERE id IN (5, 102)`);
  await tamper(
    target,
    `INSERT INTO account (id, region, code) OVERRIDING SYSTEM VALUE VALUES (999, 'x', 'y')`,
  );

  const tables = await tablesOf(source);
  const before = await verifyOnline({ ...pair(source, target, link), tables });
  const table = tables.find(({ name }) => name === 'account');
  if (table === undefined) throw new Error('no table');
  const rows = before.differingRows;
  expect(rows.map(({ key }) => key.map(({ value }) => value).join()).sort()).toEqual(
    [`r'",5`, `r'",100`, `r'",101`, `r'",102`, 'x,999'].sort(),
  );

  const result = await repairRows({ ...pair(source, target, link), table, rows });
  expect(result).toEqual({ repaired: 5, stillDiffering: [] });
  const after = await verifyOnline({ ...pair(source, target, link), tables });
  expect(after).toMatchObject({ summary: { equal: true }, differingRows: [] });
  expect(writer.writes).toBeGreaterThan(0);
});

test('a row that appears on the publisher meanwhile is not taken away from the subscriber', async ({
  source,
  target,
}) => {
  const schema = 'CREATE TABLE keyed (id int PRIMARY KEY, n int); INSERT INTO keyed VALUES (1, 1)';
  await Promise.all([source.exec(schema), target.exec(schema)]);
  await using link = await Link.start(source, target);
  await tamper(target, 'INSERT INTO keyed VALUES (2, 2)');
  const tables = await tablesOf(source);
  const [table] = tables;
  if (table === undefined) throw new Error('no table');
  const { differingRows: rows } = await verifyOnline({ ...pair(source, target, link), tables });
  await tamper(target, 'DELETE FROM keyed WHERE id = 2');
  const waitForArrival = async () => {
    // After the publisher's rows were read, before the subscriber's are deleted.
    await source.exec('INSERT INTO keyed VALUES (2, 3) ON CONFLICT DO NOTHING');
    await link.waitForArrival();
  };
  const repair = () => repairRows({ ...pair(source, target, link), waitForArrival, table, rows });
  await expect(repair()).rejects.toMatchObject({ code: 'rows_busy' });
  expect(await target.rows('SELECT * FROM keyed ORDER BY id')).toEqual([
    { id: 1, n: 1 },
    { id: 2, n: 3 },
  ]);
  expect(await repair()).toEqual({ repaired: 1, stillDiffering: [] });
});

test('no repair without a key, nor of a whole table, nor of rows that the application holds', async ({
  source,
  target,
}) => {
  const schema = `CREATE TABLE keyless (n int); ALTER TABLE keyless REPLICA IDENTITY FULL;
    CREATE TABLE keyed (id int PRIMARY KEY, n int); INSERT INTO keyed SELECT n, 0 FROM generate_series(1, 3) n;
    INSERT INTO keyless VALUES (1)`;
  await Promise.all([source.exec(schema), target.exec(schema)]);
  await using link = await Link.start(source, target);
  await tamper(target, 'UPDATE keyless SET n = 2; UPDATE keyed SET n = 1');
  const [keyed, keyless] = await tablesOf(source);
  if (keyed === undefined || keyless === undefined) throw new Error('no tables');
  const { differingRows } = await verifyOnline({ ...pair(source, target, link), tables: [keyed, keyless] });
  const of = (name: string) => differingRows.filter((row) => row.table.name === name);
  const common = pair(source, target, link);

  await expect(repairRows({ ...common, table: keyless, rows: of('keyless') })).rejects.toMatchObject({
    code: 'repair_needs_key',
    exitCode: 3,
  });
  await expect(repairRows({ ...common, table: keyed, rows: of('keyed'), maxRows: 2 })).rejects.toMatchObject({
    code: 'too_many_rows_to_repair',
    exitCode: 7,
  });
  await source.exec('BEGIN; UPDATE keyed SET n = n WHERE id = 2');
  await expect(repairRows({ ...common, table: keyed, rows: of('keyed') })).rejects.toMatchObject({
    code: 'rows_busy',
    exitCode: 7,
  });
  await source.exec('COMMIT');
  expect(await repairRows({ ...common, table: keyed, rows: of('keyed') })).toMatchObject({ repaired: 3 });
});
