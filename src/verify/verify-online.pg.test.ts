import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Link, MARKER, tamper, Writer } from '../../test/support/link-by-hand.ts';
import { until } from '../base/async.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { planTables } from '../schema/plan-tables.ts';
import type { Verification } from './verification.ts';
import { type VerifyOnlineOptions, verifyOnline } from './verify-online.ts';

const onBoth = (source: Database, target: Database, text: string) =>
  Promise.all([source.exec(text), target.exec(text)]);

async function verify(
  source: Database,
  target: Database,
  link: Link,
  choices: Partial<VerifyOnlineOptions> = {},
): Promise<Verification> {
  const { tables } = await planTables(source.connection);
  return verifyOnline({
    source: source.address,
    target: target.address,
    publisher: 'source',
    tables: tables.filter(({ name }) => name !== MARKER.name),
    waitForArrival: link.waitForArrival,
    ...choices,
  });
}

const ACCOUNTS = `
  CREATE TABLE account (id int PRIMARY KEY, balance numeric NOT NULL, note text);
  INSERT INTO account SELECT n, n, 'note ' || n FROM generate_series(1, 3000) n`;

const writeAccounts = (n: number) => `
  UPDATE public.account SET balance = balance + 1 WHERE id = 1 + ${n % 50};
  INSERT INTO public.account VALUES (${100_000 + n}, ${n}, 'new');
  DELETE FROM public.account WHERE id = ${100_000 + n - 20}`;

test('under load equal sides are equal', async ({ source, target }) => {
  await onBoth(source, target, ACCOUNTS);
  await using link = await Link.start(source, target);
  await using writer = await Writer.start(source, writeAccounts);
  for (let round = 0; round < 5; round += 1) {
    const { summary, differingRows, unsettledRows } = await verify(source, target, link);
    expect({ equal: summary.equal, differingRows, unsettledRows }).toEqual({
      equal: true,
      differingRows: [],
      unsettledRows: 0,
    });
    expect(summary.mode).toBe('online');
  }
  expect(writer.writes).toBeGreaterThan(0);
});

test('under load a row that really differs is found, and only that', async ({ source, target }) => {
  await onBoth(source, target, ACCOUNTS);
  await using link = await Link.start(source, target);
  await using _writer = await Writer.start(source, writeAccounts);
  await link.waitForArrival();
  await tamper(target, `UPDATE account SET note = 'other' WHERE id = 2000`);
  await tamper(target, `DELETE FROM account WHERE id = 2001`);
  await tamper(target, `INSERT INTO account VALUES (9000, 0)`);
  const { summary, differingRows } = await verify(source, target, link);
  expect(summary).toMatchObject({ equal: false, tables: [{ table: 'public.account', equal: false }] });
  const found = differingRows.map(({ kind, key, columns }) => [
    Number(key[0]?.value),
    kind,
    columns[0]?.name,
  ]);
  expect(found.sort()).toEqual([
    [2000, 'changed', 'note'],
    [2001, 'missing-on-target', 'id'],
    [9000, 'missing-on-source', 'id'],
  ]);
});

test('one row that never stands still is proven equal all the same', async ({ source, target }) => {
  await onBoth(source, target, 'CREATE TABLE hot (id int PRIMARY KEY, n int); INSERT INTO hot VALUES (1, 0)');
  await using link = await Link.start(source, target);
  await using _writer = await Writer.start(source, (n) => `UPDATE public.hot SET n = ${n}`);
  for (let round = 0; round < 5; round += 1) {
    const { summary, differingRows } = await verify(source, target, link);
    expect(differingRows).toEqual([]);
    expect(summary.equal).toBe(true);
  }
});

test('a table without a key, under load', async ({ source, target }) => {
  await onBoth(
    source,
    target,
    `CREATE TABLE log (line text, at int); ALTER TABLE log REPLICA IDENTITY FULL;
     INSERT INTO log SELECT 'line ' || n % 500, 0 FROM generate_series(1, 2000) n`,
  );
  await using link = await Link.start(source, target);
  await using _writer = await Writer.start(
    source,
    (n) => `INSERT INTO public.log VALUES ('new', ${n}), ('new', ${n});
            DELETE FROM public.log WHERE at = ${n - 5} AND at > 0`,
  );
  const equal = await verify(source, target, link);
  expect(equal.differingRows).toEqual([]);
  expect(equal.summary.equal).toBe(true);

  await tamper(target, `INSERT INTO log VALUES ('line 1', 0)`);
  await tamper(target, `DELETE FROM log WHERE ctid = (SELECT ctid FROM log WHERE line = 'line 2' LIMIT 1)`);
  const { differingRows } = await verify(source, target, link);
  expect(differingRows.map(({ kind, columns, copies }) => [kind, columns[0], copies])).toEqual([
    ['missing-on-target', { name: 'line', source: 'line 2', target: undefined }, 1],
    ['missing-on-source', { name: 'line', source: undefined, target: 'line 1' }, 1],
  ]);
});

test('a table that is rewritten on both sides within the snapshots is compared again', async ({
  source,
  target,
}) => {
  await onBoth(source, target, `${ACCOUNTS}; CREATE TABLE other (id int PRIMARY KEY)`);
  await using link = await Link.start(source, target);
  await tamper(target, 'DELETE FROM account WHERE id = 7');
  await using holder = await Connection.open(source.address, { purpose: 'test' });
  let arrivals = 0;
  const running = verify(source, target, link, {
    waitForArrival: async () => {
      await link.waitForArrival();
      arrivals += 1;
      // The snapshots are taken next, then the sizes of the tables are read.
      if (arrivals === 1) await holder.script(sql`BEGIN; LOCK TABLE public.other`);
    },
  });
  running.catch(() => undefined);
  await until(
    'the verification to wait inside its snapshots',
    async () => {
      const waiting = await source.rows(
        `SELECT FROM pg_locks WHERE relation = 'other'::regclass AND mode = 'AccessShareLock' AND NOT granted`,
      );
      return waiting.length > 0 ? true : undefined;
    },
    { timeoutMs: 20_000 },
  );
  await onBoth(source, target, 'ALTER TABLE account ALTER balance TYPE numeric USING balance + 0');
  await holder.script(sql`ROLLBACK`);
  const { summary, differingRows } = await running;
  expect(summary.tables.map(({ table, equal, sourceRows }) => [table, equal, sourceRows]).sort()).toEqual([
    ['public.account', false, 3000],
    ['public.other', true, 0],
  ]);
  expect(differingRows).toMatchObject([{ kind: 'missing-on-target', key: [{ value: '7' }] }]);
});

test('very many real differences: some are shown, the verdict is clear', async ({ source, target }) => {
  await onBoth(source, target, ACCOUNTS);
  await using link = await Link.start(source, target);
  await tamper(target, 'UPDATE account SET balance = balance + 0.5');
  const { summary, differingRows } = await verify(source, target, link, { maxRowsShown: 3 });
  expect(summary.equal).toBe(false);
  expect(differingRows).toHaveLength(3);
});
