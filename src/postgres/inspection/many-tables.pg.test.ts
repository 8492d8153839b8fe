import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { factsOf } from '../../../test/support/preflight.ts';

const TABLES = 500;

test('many tables are looked at in a few statements, without a lock on any of them', async ({
  source,
  target,
}) => {
  await source.exec(`DO $$ BEGIN FOR i IN 1..${TABLES} LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a int UNIQUE)', i); END LOOP; END $$`);
  await source.exec('BEGIN; LOCK TABLE t1, t2, t3 IN ACCESS EXCLUSIVE MODE');
  const { tables } = (await factsOf({ source, target })).source.objects;
  expect(tables).toHaveLength(TABLES);
  for (const table of tables) expect(table.indexes.map(({ columns }) => columns)).toEqual([['id'], ['a']]);
  await source.exec('COMMIT');
});
