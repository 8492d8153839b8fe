import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { openSession } from '../../test/support/migration.ts';
import { until, withDeadline } from '../base/async.ts';
import { endBackend } from './activity.ts';
import { Connection } from './connection.ts';
import { sql } from './sql.ts';

test('whoever has the process id of a lost session by now is neither ended nor waited for', async ({
  source,
}) => {
  const client = await openSession(source.address);
  const { processID } = client as unknown as { processID: number };
  await withDeadline('the end of nothing', 5_000, endBackend(source.connection, processID));
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test('a session ends with us in the middle of a long statement, too', async ({ source }) => {
  const ours = await Connection.open(source.address, { purpose: 'test' });
  const statesOf = () =>
    source.connection.query<{ state: string }>(
      sql`SELECT state FROM pg_stat_activity WHERE pid = ${ours.backendPid}`,
    );
  const working = ours.query(sql`SELECT pg_sleep(600)`);
  await until('its work', async () => (await statesOf()).find(({ state }) => state === 'active'), {
    timeoutMs: 10_000,
  });
  // As kill -9 does.
  ours.destroy();
  await expect(working).rejects.toMatchObject({ code: 'server_lost' });
  await until('its end', async () => ((await statesOf()).length === 0 ? true : undefined), {
    timeoutMs: 20_000,
  });
});

test('a server looks after minutes, not hours, whether we are still there', async ({ source }) => {
  const { idle, every, times } = await source.connection.one<Record<'idle' | 'every' | 'times', number>>(sql`
    SELECT current_setting('tcp_keepalives_idle')::int AS idle, current_setting('tcp_keepalives_interval')::int AS every,
      current_setting('tcp_keepalives_count')::int AS times`);
  expect(idle + every * times).toBe(120);
});
