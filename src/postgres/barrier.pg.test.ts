import { describe, expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { until } from '../base/async.ts';
import { deadlockTimeoutMs, raiseBarrier } from './barrier.ts';
import { Connection } from './connection.ts';
import { sql } from './sql.ts';
import { yieldQuickly } from './yielding-vacuum.ts';

const TABLES = ['a', 'b', 'c'].map((name) => ({ schema: 'public', name, isPartitioned: false }));
const MAKE_TABLES =
  'CREATE TABLE a AS SELECT 1 AS n; CREATE TABLE b AS SELECT 1 AS n; CREATE TABLE c AS SELECT 1 AS n';

describe('a writer that goes around the proxy and locks in another order than the barrier', () => {
  test('is never the victim of a deadlock with it', async ({ source }) => {
    await source.exec(MAKE_TABLES);
    const [first, second] = await Promise.all([openSession(source.address), openSession(source.address)]);
    await using barrier = await Connection.open(source.address, { purpose: 'barrier' });
    await yieldQuickly(barrier);
    const waits = (table: string) =>
      until(
        `the wait for ${table}`,
        async () => {
          const { length } = await source.connection.query(sql`
            SELECT FROM pg_locks WHERE pid = ${barrier.backendPid} AND NOT granted AND relation = ${`public.${table}`}::regclass`);
          return length > 0 ? true : undefined;
        },
        { timeoutMs: 10_000, intervalMs: 5 },
      );
    try {
      await first.query('BEGIN; UPDATE b SET n = 2');
      await second.query('BEGIN; UPDATE c SET n = 2');
      const raised = raiseBarrier(barrier, TABLES, { budgetMs: 30_000, deadlockTimeoutMs: 1000 });
      await waits('b');
      await first.query('UPDATE a SET n = 3; COMMIT');
      // Now the barrier holds a and b, and whoever notices the deadlock would be cancelled.
      await waits('c');
      await second.query('UPDATE b SET n = 3; COMMIT');
      await raised;
      const refused = first.query("SET lock_timeout = '1ms'; UPDATE a SET n = 4");
      await expect(refused).rejects.toMatchObject({ code: '55P03' });
      await barrier.script(sql`ROLLBACK`);
    } finally {
      await Promise.all([first.end(), second.end()]);
    }
  });

  test('is waited for by a barrier that holds nothing, and named when it stays', async ({ source }) => {
    await source.exec(MAKE_TABLES);
    const writer = await openSession(source.address);
    await using barrier = await Connection.open(source.address, { purpose: 'barrier' });
    try {
      const { rows } = await writer.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await writer.query('BEGIN; UPDATE b SET n = 2');
      const raised = raiseBarrier(barrier, TABLES, { budgetMs: 1_500, deadlockTimeoutMs: 1000 });
      const given = expect(raised).rejects.toMatchObject({
        code: 'barrier_timeout',
        message: `The session of pid ${rows[0]?.pid} held public.b for more than 1500 ms`,
      });
      await until(
        'a wait without locks',
        async () => {
          const locks = await source.connection.query<{ granted: boolean }>(sql`
            SELECT granted FROM pg_locks WHERE pid = ${barrier.backendPid} AND locktype = 'relation'`);
          return locks.length === 1 && locks[0]?.granted === false ? true : undefined;
        },
        { timeoutMs: 10_000, intervalMs: 5 },
      );
      await given;
    } finally {
      await writer.end();
    }
  });
});

test('the shortest deadlock_timeout is that of the server, or of a role that has a shorter one', async ({
  source,
}) => {
  expect(await deadlockTimeoutMs(source.connection)).toBe(1000);
  await source.exec(
    `CREATE ROLE ${source.name}_r; ALTER ROLE ${source.name}_r SET deadlock_timeout = '0.75 s'; ALTER DATABASE ${source.name} SET deadlock_timeout = 900`,
  );
  expect(await deadlockTimeoutMs(source.connection)).toBe(750);
});
