import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { exportSnapshot } from '../postgres/snapshot.ts';
import { planTables } from '../schema/plan-tables.ts';
import { type CopyOptions, copyParts } from './copy-tables.ts';
import { planCopy } from './plan-copy.ts';

/** Everything in `source` copied inside a fresh snapshot; tables on the target exist. */
async function copyAll(
  source: Database,
  target: Database,
  options: Partial<CopyOptions> = {},
  splitBytes = 1e12,
) {
  await using holder = await Connection.open(source.address, { purpose: 'test snapshot' });
  const snapshot = await exportSnapshot(holder);
  const { tables } = await planTables(holder);
  const parts = await planCopy(source.connection, target.connection, tables, { jobs: 2, splitBytes });
  const recorded: string[] = [];
  const result = await copyParts({
    source: source.address,
    target: target.address,
    snapshot,
    parts,
    jobs: () => 2,
    recordParts: async (_, done) => {
      recorded.push(...done.map(({ part }) => part.id));
    },
    ...options,
  });
  return { parts, result, recorded };
}

test('rows arrive', async ({ source, target }) => {
  await source.exec(`CREATE TABLE a (n int, t text); INSERT INTO a SELECT i, i::text FROM generate_series(1, 10000) i;
    CREATE TABLE b (n int[]); INSERT INTO b VALUES (ARRAY[1,2]), (NULL)`);
  await target.exec('CREATE TABLE a (n int, t text); CREATE TABLE b (n int[])');
  const { result, recorded, parts } = await copyAll(source, target);
  expect(result.rows).toBe(10002);
  expect(recorded.sort()).toEqual(parts.map((part) => part.id).sort());
  expect(await target.rows('SELECT count(*) AS n FROM a')).toEqual([{ n: 10000 }]);
});
