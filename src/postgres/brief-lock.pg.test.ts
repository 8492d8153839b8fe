import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { withBriefLock } from './brief-lock.ts';
import { sql } from './sql.ts';

const addColumn = sql`ALTER TABLE public.t ADD COLUMN more int`;

test('while a reader is in the way nobody else waits for us; when it is gone the statement goes through', async ({
  source,
}) => {
  await source.exec('CREATE TABLE t (n int)');
  const [reader, application] = await Promise.all([openSession(source.address), openSession(source.address)]);
  try {
    await reader.query('BEGIN');
    await reader.query('SELECT FROM t');
    let waited = 0;
    const changed = withBriefLock(source.connection, addColumn, {
      lockTimeoutMs: 100,
      onWaiting: () => waited++,
    });
    // Longer than one attempt stands in the queue, much shorter than the reader's transaction.
    await application.query("SET lock_timeout = '5s'");
    for (let n = 0; n < 20; n += 1) await application.query('INSERT INTO t VALUES ($1)', [n]);
    await expect.poll(() => waited).toBe(1);
    await application.query('INSERT INTO t VALUES (20)');
    await reader.query('COMMIT');
    await changed;
    expect(await source.rows('SELECT count(*) AS n, count(more) AS more FROM t')).toEqual([
      { n: 21, more: 0 },
    ]);
  } finally {
    await Promise.all([reader.end(), application.end()]);
  }
});

test('it gives up in time, says who is in the way, and leaves the session usable', async ({ source }) => {
  await source.exec('CREATE TABLE t (n int)');
  const reader = await openSession(source.address);
  try {
    await reader.query('BEGIN');
    await reader.query('SELECT FROM t');
    // Younger than a second it would not be named.
    await reader.query('SELECT pg_sleep(1.1)');
    const failed = withBriefLock(source.connection, addColumn, { lockTimeoutMs: 20, timeoutMs: 100 });
    await expect(failed).rejects.toMatchObject({
      code: 'lock_not_available',
      exitCode: 3,
      hint: expect.stringContaining('SELECT pg_sleep(1.1)'),
    });
    expect(await source.connection.query(sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  } finally {
    await reader.end();
  }
});

test('other errors are not tried again', async ({ source }) => {
  await expect(withBriefLock(source.connection, addColumn)).rejects.toMatchObject({ code: '42P01' });
});
