import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { exportSnapshot } from '../postgres/snapshot.ts';
import { planTables } from '../schema/plan-tables.ts';
import type { Verification } from './verification.ts';
import { type VerifyPinnedOptions, verifyPinned } from './verify-pinned.ts';

type Choices = Partial<Omit<VerifyPinnedOptions, 'source' | 'target'>>;

async function verify(source: Database, target: Database, choices: Choices = {}): Promise<Verification> {
  await using onSource = await Connection.open(source.address, { purpose: 'test' });
  await using onTarget = await Connection.open(target.address, { purpose: 'test' });
  return await verifyPinned({
    source: { address: source.address, snapshot: await exportSnapshot(onSource) },
    target: { address: target.address, snapshot: await exportSnapshot(onTarget) },
    tables: choices.tables ?? (await planTables(source.connection)).tables,
    ...choices,
  });
}

const onBoth = (source: Database, target: Database, text: string) =>
  Promise.all([source.exec(text), target.exec(text)]);

test('equal tables are equal, and counted', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE a (id bigint PRIMARY KEY, note text);
     INSERT INTO a SELECT n, 'note ' || n FROM generate_series(1, 5000) n;
     CREATE TABLE empty (id int PRIMARY KEY)`,
  );
  const { summary, differingRows } = await verify(source, target);
  expect(summary).toMatchObject({ mode: 'pinned', equal: true });
  expect(summary.tables.map(({ table, sourceRows, targetRows }) => [table, sourceRows, targetRows])).toEqual([
    ['public.a', 5000, 5000],
    ['public.empty', 0, 0],
  ]);
  expect(differingRows).toEqual([]);
});
