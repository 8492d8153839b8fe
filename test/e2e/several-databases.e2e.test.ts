/** Two databases move together, under load in both; the tool dies at the moments where one of them could be left behind. */

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Side } from '../../src/domain/names.ts';
import { IN_THE_PAUSE } from './kill-points.ts';
import { type Door, World } from './world.ts';

const SECOND = 'billing';
const DATABASES = ['shop', SECOND];
/** A table of the shop's name, with other columns and rows. */
const PREPARE = `
  CREATE TABLE public.countries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
  INSERT INTO public.countries (name) SELECT 'invoice ' || n FROM generate_series(1, 1000) AS n;
  GRANT ALL ON public.countries TO shop`;

let world: World;
let bills: Bills;

/** One client of the second database, writing one row after the other. */
interface Bills {
  readonly acknowledged: string[];
  readonly failures: unknown[];
  stop(): Promise<void>;
}

async function writeBills(): Promise<Bills> {
  const client = await world.openClient(SECOND);
  const acknowledged: string[] = [];
  const failures: unknown[] = [];
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n += 1) {
      try {
        await client.query('INSERT INTO countries (name) VALUES ($1)', [`bill ${n}`]);
        acknowledged.push(`bill ${n}`);
        // A writer's pace: what comes next waits for no writes.
        await new Promise((resolve) => setTimeout(resolve, 5));
      } catch (error) {
        failures.push(error);
        return;
      }
    }
  })();
  return {
    acknowledged,
    failures,
    async stop() {
      isOver = true;
      await writing;
      await client.end();
    },
  };
}

beforeAll(async () => {
  world = await World.create({ rate: 50, rows: 5_000, second: { name: SECOND, prepare: PREPARE } });
  await world.startProxy();
  await world.startLoad();
  bills = await writeBills();
  await world.succeed(['sync']);
}, 180_000);

afterAll(async () => {
  await bills?.stop();
  await world[Symbol.asyncDispose]();
});

const doorsOfAll = async (): Promise<Record<Side, Door>[]> => [
  await world.doors('shop'),
  await world.doors(SECOND),
];

function expectOneAtMost(doors: readonly Record<Side, Door>[]): void {
  for (const one of doors)
    expect(Object.values(one).filter((door) => door === 'open').length, JSON.stringify(doors)).toBeLessThan(
      2,
    );
}

async function expectSettledOn(active: Side): Promise<void> {
  const wanted: Record<Side, Door> = {
    source: active === 'source' ? 'open' : 'fenced',
    target: active === 'target' ? 'open' : 'fenced',
  };
  expect(await doorsOfAll()).toEqual([wanted, wanted]);
}

async function billsSucceed(): Promise<void> {
  const before = bills.acknowledged.length;
  await until('a bill that is acknowledged', async () => bills.acknowledged.length > before || undefined, {
    timeoutMs: 30_000,
  });
}

async function finish(direction: 'cutover' | 'rollback', to: Side): Promise<void> {
  const { summary } = JSON.parse(await world.succeed([direction]));
  expect(summary).toMatchObject({ direction, to });
  expect(await world.trafficGoesOn()).toBe(to);
  await expectSettledOn(to);
  await billsSucceed();
  await world.requestsSucceed();
  expect(bills.failures).toEqual([]);
  expect(await world.failures()).toEqual([]);
}

/** In the first of the databases that come to it. */
test.each([
  ['cutover', 'source', 'target', 'raise-barrier'],
  ['rollback', 'target', 'source', 'arm-return-link'],
  ['cutover', 'source', 'target', 'commit-switch'],
  ['rollback', 'target', 'source', 'fence-old-side'],
] as const)('%s from %s to %s, killed after "%s"', async (direction, from, to, step) => {
  const killed = await world.run([direction], IN_THE_PAUSE[step]);
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  expectOneAtMost(await doorsOfAll());
  const active = await world.trafficGoesOn();
  expect(active).toBe(step === 'commit-switch' ? to : from);
  await expectSettledOn(active);
  await billsSucceed();
  await finish(direction, to);
});

test('killed when the first database is open on the new side, and the second is not yet', async () => {
  const tool = world.start(['cutover'], { ...IN_THE_PAUSE['commit-switch'], signal: 'SIGSTOP' });
  await tool.hasStopped();
  const holder = await holdSecond('target');
  tool.goOn();
  await until(
    'the first database to be open',
    async () => (await world.door('target')) === 'open' || undefined,
    {
      timeoutMs: 30_000,
    },
  );
  await tool.kill();
  const [shop, second] = await doorsOfAll();
  expect(shop).toEqual({ source: 'fenced', target: 'open' });
  expect(second?.source).toBe('fenced');
  expect(second?.target).not.toBe('open');
  await holder.end();
  expect(await world.trafficGoesOn()).toBe('target');
  await expectSettledOn('target');
  await billsSucceed();
  await finish('cutover', 'target');
});

/** What would lift the second database's fence is gone, and a lock on its link keeps it from being lifted anew. */
async function holdSecond(side: Side): Promise<pg.Client> {
  await world.query(
    side,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = '${SECOND}' AND application_name = 'pgglide: fence'`,
    SECOND,
  );
  const { host, port, user, password } = world.servers[side].address(SECOND);
  const client = new pg.Client({ host, port, user, password: password ?? '', database: SECOND });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    'SELECT subname AS name FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()',
  );
  await client.query(`BEGIN; ALTER SUBSCRIPTION "${rows[0]?.name}" SET (synchronous_commit = off)`);
  return client;
}

test('nothing acknowledged was lost or doubled in either', async () => {
  expect(await world.isEqual()).toBe(true);
  await bills.stop();
  for (const side of ['target', 'source'] as const) {
    const found = async () => {
      const rows = await world.query<{ name: string }>(
        side,
        "SELECT name FROM public.countries WHERE name LIKE 'bill %' ORDER BY id",
        SECOND,
      );
      return rows.length >= bills.acknowledged.length ? rows.map(({ name }) => name) : undefined;
    };
    expect(await until('all bills', found, { timeoutMs: 30_000 })).toEqual(bills.acknowledged);
  }
  expect(bills.acknowledged.length).toBeGreaterThan(100);
  const audit = await world.audit('target');
  expect(audit).toMatchObject({ ok: true, lost: 0, doubled: 0, torn: 0, unknown: 0 });
});

test('complete leaves no link in either, and no fence when it is told so', async () => {
  await world.succeed(['complete', '--yes', '--drop-fence']);
  for (const database of DATABASES) {
    expect(await world.ours('source', database)).toEqual([]);
    expect(await world.ours('target', database)).toEqual(['schema pgglide']);
  }
});
