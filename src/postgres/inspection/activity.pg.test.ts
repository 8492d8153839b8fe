/** Long and prepared transactions hold up every slot of their cluster: these tests take servers of their own. */

import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { mend, type Pair, troubles } from '../../../test/support/preflight.ts';
import { until } from '../../base/async.ts';
import { Connection } from '../connection.ts';
import { sql } from '../sql.ts';

const openSession = async (pair: Pair, side: 'source' | 'target' = 'source'): Promise<Connection> =>
  Connection.open(pair[side].address, { purpose: 'x' }).then(async (session) => {
    await session.script(sql`SET application_name = 'psql'`);
    return session;
  });

const gone = (pair: Pair, pid: number) =>
  until(
    `the end of ${pid}`,
    async () => {
      await using watcher = await Connection.open(pair.source.address, { purpose: 'watch' });
      const rows = await watcher.query(sql`SELECT FROM pg_stat_activity WHERE pid = ${pid}`);
      return rows.length === 0 ? true : undefined;
    },
    { timeoutMs: 5000 },
  );

test('case 15: transactions that hold up the snapshot or the drain', async ({ ownServers }) => {
  const [old, next] = await ownServers([15, 16]);
  if (!old || !next) throw new Error('two servers');
  const pair = { source: { address: old.address() }, target: { address: next.address() } };
  const longAgo = { openTransactionMs: 0, longTransactionMs: 0 };

  const writer = await openSession(pair);
  await writer.script(sql`CREATE TABLE public.t (id int PRIMARY KEY)`);
  await writer.script(sql`BEGIN`);
  await writer.script(sql`INSERT INTO public.t VALUES (1)`);
  expect(await troubles(pair, 'PGG151')).toEqual([]);
  const [open, ...more] = await troubles(pair, 'PGG151', { thresholds: longAgo });
  expect(more).toEqual([]);
  expect(open).toMatchObject({
    severity: 'blocker',
    blocks: 'the consistent snapshot',
    fix: `SELECT pg_terminate_backend(${writer.backendPid});`,
  });
  expect(open?.title).toMatch(/^transaction open for \d+ s \(pid \d+, "psql", idle in transaction\)$/);
  expect(await troubles(pair, 'PGG152', { thresholds: longAgo })).toEqual([]);
  await mend(pair, open);
  await gone(pair, writer.backendPid);
  expect(await troubles(pair, 'PGG151', { thresholds: longAgo })).toEqual([]);

  const reader = await openSession(pair);
  await reader.script(sql`BEGIN; SELECT 1`);
  const [idle] = await troubles(pair, 'PGG152', { thresholds: longAgo });
  expect(idle).toMatchObject({ severity: 'warning', blocks: 'draining at the cutover' });
  expect(await troubles(pair, 'PGG151', { thresholds: longAgo })).toEqual([]);
  await mend(pair, idle);
  await gone(pair, reader.backendPid);
  expect(await troubles(pair, 'PGG152', { thresholds: longAgo })).toEqual([]);

  const preparer = await openSession(pair);
  await preparer.script(sql`BEGIN; CREATE TABLE public.p (); PREPARE TRANSACTION 'it''s \\ "mine"'`);
  expect(await troubles(pair, 'PGG153')).toMatchObject([{ severity: 'warning' }]);
  const [prepared] = await troubles(pair, 'PGG153', { thresholds: { preparedTransactionMs: 0 } });
  expect(prepared).toMatchObject({ severity: 'blocker', object: 'it\'s \\ "mine"' });
  await mend(pair, prepared);
  expect(await troubles(pair, 'PGG153')).toEqual([]);
  await preparer.close();
});

test('on the target they hold up the way back, and block nothing yet', async ({ ownServers }) => {
  const [old, next] = await ownServers([15, 16]);
  if (!old || !next) throw new Error('two servers');
  const pair = { source: { address: old.address() }, target: { address: next.address() } };
  const longAgo = { openTransactionMs: 0, longTransactionMs: 0, preparedTransactionMs: 0 };
  await using writer = await openSession(pair, 'target');
  await writer.script(sql`BEGIN; CREATE TABLE public.p ()`);
  const found = { severity: 'warning', fixOn: 'target', blocks: expect.stringContaining('the way back') };
  expect(await troubles(pair, 'PGG151', { thresholds: longAgo })).toMatchObject([found]);
  expect(await troubles(pair, 'PGG151', { thresholds: { ...longAgo, wantsReverse: false } })).toEqual([]);
  await writer.script(sql`PREPARE TRANSACTION 'theirs'`);
  const [prepared, ...more] = await troubles(pair, 'PGG153', { thresholds: longAgo });
  expect(more).toEqual([]);
  expect(prepared).toMatchObject(found);
  await mend(pair, prepared);
  for (const id of ['PGG151', 'PGG153'] as const)
    expect(await troubles(pair, id, { thresholds: longAgo })).toEqual([]);
});

test('a table near its anti-wraparound vacuum is frozen', async ({ ownServers }) => {
  const [old, next] = await ownServers([15, 16], { autovacuum_freeze_max_age: '100000' });
  if (!old || !next) throw new Error('two servers');
  const pair = { source: { address: old.address() }, target: { address: next.address() } };
  const session = await openSession(pair);
  await session.script(sql`CREATE TABLE public.old (id int PRIMARY KEY)`);
  // A subtransaction that writes takes a transaction id of its own.
  await session.script(sql`DO $$ BEGIN FOR i IN 1..300 LOOP
    BEGIN INSERT INTO public.old VALUES (i); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$`);
  const near = { thresholds: { freezeAgeShare: 0.002 } };
  expect(await troubles(pair, 'PGG154')).toEqual([]);
  const [finding] = await troubles(pair, 'PGG154', near);
  expect(finding).toMatchObject({ severity: 'warning', fix: 'VACUUM (FREEZE) public.old;' });
  await session.close();
  await mend(pair, finding);
  expect(await troubles(pair, 'PGG154', near)).toEqual([]);
});
