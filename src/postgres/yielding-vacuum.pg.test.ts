import { describe, expect } from 'vitest';
import { type OwnServers, test } from '../../test/support/fixture.ts';
import { until } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { withBriefLock } from './brief-lock.ts';
import { Connection } from './connection.ts';
import { createPublication } from './publication.ts';
import { sql } from './sql.ts';
import { letVacuumsYield } from './yielding-vacuum.ts';

/** A tenth of a second for every few pages, so that one vacuum outlasts a test. */
const SLOW = {
  autovacuum_naptime: '1s',
  autovacuum_vacuum_cost_delay: '100ms',
  autovacuum_vacuum_cost_limit: '1',
  autovacuum_vacuum_threshold: '1',
  autovacuum_vacuum_scale_factor: '0',
};
const T = { schema: 'public', name: 't' };
const STOPS_WRITERS = sql`ALTER TABLE public.t SET WITHOUT CLUSTER`;

interface Vacuumed {
  readonly superuser: Connection;
  /** Owns the table, and is no superuser. */
  readonly owner: Connection;
  /** Resolves to the process id of an autovacuum of the table. */
  vacuum(): Promise<number>;
  isRunning(pid: number): Promise<boolean>;
}

async function whileVacuumed(
  ownServers: OwnServers,
  play: (vacuumed: Vacuumed) => Promise<void>,
): Promise<void> {
  const [server] = await ownServers([16], SLOW);
  if (server === undefined) throw new Error('no server');
  await using superuser = await Connection.open(server.address(), { purpose: 'test' });
  await superuser.script(sql`CREATE ROLE owner LOGIN PASSWORD 'secret'; GRANT pg_monitor TO owner;
    CREATE TABLE public.t AS SELECT n, repeat('x', 500) AS text FROM generate_series(1, 20000) n;
    ALTER TABLE public.t OWNER TO owner; DELETE FROM public.t WHERE n % 2 = 0;
    DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO owner', current_database()); END $$`);
  const address: ServerAddress = { ...server.address(), user: 'owner', password: 'secret' };
  await using owner = await Connection.open(address, { purpose: 'test' });
  const running = () =>
    superuser.query<{ pid: number }>(
      sql`SELECT pid FROM pg_stat_progress_vacuum WHERE relid = 'public.t'::regclass`,
    );
  await play({
    superuser,
    owner,
    vacuum: () =>
      until('an autovacuum', async () => (await running())[0]?.pid, { timeoutMs: 60_000, intervalMs: 20 }),
    isRunning: async (pid) => (await running()).some((one) => one.pid === pid),
  });
}

describe('an autovacuum that would take long', () => {
  test('yields to a superuser within a brief attempt', async ({ ownServers }) => {
    await whileVacuumed(ownServers, async ({ superuser, vacuum, isRunning }) => {
      const pid = await vacuum();
      await withBriefLock(superuser, STOPS_WRITERS, { timeoutMs: 1000 });
      expect(await isRunning(pid)).toBe(false);
    });
  });

  test('is waited for where no writer stands behind us, also by a role that is no superuser', async ({
    ownServers,
  }) => {
    await whileVacuumed(ownServers, async ({ superuser, owner, vacuum, isRunning }) => {
      const pid = await vacuum();
      const published = createPublication(owner, 'p', [T], { timeoutMs: 1000 });
      // Who comes after us in the queue and writes does not wait: its lock conflicts neither with ours nor with the vacuum's.
      await superuser.script(sql`SET lock_timeout = '50ms'; DELETE FROM public.t WHERE n = 1`);
      await published;
      expect(await isRunning(pid)).toBe(false);
    });
  });

  test('yields when it is asked to, before somebody needs a strong lock at once', async ({ ownServers }) => {
    await whileVacuumed(ownServers, async ({ owner, vacuum, isRunning }) => {
      const pid = await vacuum();
      await letVacuumsYield(owner, [{ schema: 'public', name: 'other' }]);
      expect(await isRunning(pid)).toBe(true);
      await letVacuumsYield(owner, [T]);
      expect(await isRunning(pid)).toBe(false);
    });
  });

  test('is named to who gives up before it', async ({ ownServers }) => {
    await whileVacuumed(ownServers, async ({ owner, vacuum }) => {
      const pid = await vacuum();
      const given = withBriefLock(owner, STOPS_WRITERS, { timeoutMs: 1500 });
      await expect(given).rejects.toMatchObject({
        code: 'lock_not_available',
        hint: expect.stringContaining(`pid ${pid} (autovacuum worker, active): autovacuum: VACUUM`),
      });
    });
  });
});
