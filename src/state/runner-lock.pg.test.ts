import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { takeRunnerLock, tryRunnerLock } from './runner-lock.ts';

test('a runner that is just leaving is waited for', async ({ target }) => {
  await using next = await Connection.open(target.address, { purpose: 'next' });
  const leaving = await Connection.open(target.address, { purpose: 'leaving' });
  await takeRunnerLock(leaving, 'm');
  const taken = takeRunnerLock(next, 'm');
  await Promise.race([
    taken,
    until('its wait', () => waits(target.connection, next), { timeoutMs: 10_000, intervalMs: 5 }),
  ]);
  await leaving.close();
  await taken;
  expect(await tryRunnerLock(target.connection, 'm')).toBe(false);
});

test('one that stays is named, and the session that was refused goes on', async ({ target }) => {
  await using next = await Connection.open(target.address, { purpose: 'next' });
  await takeRunnerLock(target.connection, 'm');
  await expect(takeRunnerLock(next, 'm')).rejects.toMatchObject({
    code: 'another_runner',
    message: expect.stringContaining(`target session ${target.connection.backendPid} from`),
  });
  await takeRunnerLock(next, 'other');
});

async function waits(looking: Connection, { backendPid }: Connection): Promise<true | undefined> {
  const rows = await looking.query(
    sql`SELECT FROM pg_locks WHERE pid = ${backendPid} AND locktype = 'advisory' AND NOT granted`,
  );
  return rows.length > 0 ? true : undefined;
}
