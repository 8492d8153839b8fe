import type pg from 'pg';
import { describe, expect } from 'vitest';
import { UnprovenError } from '../../src/domain/errors.ts';
import { hasMovedTraffic } from '../../src/domain/last-verification.ts';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import type { Database } from '../support/database.ts';
import { bound, holdSubscriptionSql, openSession, type Scene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** The application's own role, whose password the proxy never learns. */
const shop = (app: string) => `
  CREATE ROLE ${app} LOGIN PASSWORD 'app';
  CREATE TABLE public.account (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, balance int NOT NULL);
  CREATE TABLE public.entry (id serial PRIMARY KEY, account bigint REFERENCES public.account, amount int);
  CREATE SEQUENCE public.odd AS smallint INCREMENT -3 MAXVALUE 100 START 100 CACHE 5;
  SELECT nextval('public.odd');
  CREATE TABLE public.reading (id int, at date NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE public.reading_1 PARTITION OF public.reading FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  ALTER TABLE public.reading ADD PRIMARY KEY (id, at);
  INSERT INTO public.account (balance) SELECT 0 FROM generate_series(1, 100);
  GRANT ALL ON ALL TABLES IN SCHEMA public TO ${app}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${app}`;

interface Ends {
  readonly source: Database;
  readonly target: Database;
}

/** Through the proxy, open from before the first switch to the end. */
let client: pg.Client;

test.beforeAll(async ({ shared: { source, scene } }) => {
  const app = `${source.name}_app`;
  await source.exec(shop(app));
  await scene.sync();
  client = await openSession({ ...source.address, ...scene.proxy, user: app, password: 'app' });
});

test.afterAll(() => client?.end());

const versionOf = async (session: pg.Client) =>
  (await session.query("SELECT split_part(current_setting('server_version'), '.', 1) AS v")).rows[0]?.v;

/** With the transaction that last changed each. */
const fenceTriggers = (side: Database) =>
  side.rows<{ t: string; x: string }>(
    "SELECT tgrelid::regclass::text AS t, xmin::text AS x FROM pg_trigger WHERE tgname = 'pgglide_fence' ORDER BY 1",
  );

const INSERT = 'INSERT INTO account (balance) VALUES (0)';

test('a session moves without noticing, and what it writes reaches both sides', async ({
  shared: { source, scene },
}) => {
  await client.query('INSERT INTO account (balance) VALUES (1)');
  const { summary, verification } = await scene.cutover();
  expect(summary).toMatchObject({ from: 'source', to: 'target', epoch: 1, sequences: 3 });
  expect(summary.waits.failedRequests).toBe(0);
  expect(verification).toMatchObject({ equal: true, mode: 'pinned', sequencesEqual: true });
  expect(await versionOf(client)).toBe('16');

  const { rows } = await client.query('INSERT INTO account (balance) VALUES (2) RETURNING id');
  expect(rows).toEqual([{ id: '102' }]);
  expect((await client.query("SELECT nextval('odd') AS n")).rows).toEqual([{ n: '85' }]);
  await scene.expectEqual();
  expect(await source.rows('SELECT balance FROM account WHERE id = 102')).toEqual([{ balance: 2 }]);

  const back = await scene.rollback();
  expect(back.verification).toMatchObject({ equal: true, sequencesEqual: true });
  expect(await versionOf(client)).toBe('15');
  const again = await client.query('INSERT INTO account (balance) VALUES (3) RETURNING id');
  expect(again.rows).toEqual([{ id: '103' }]);
  await scene.expectEqual();
});

test('a rehearsal measures the stall and changes nothing', async ({ shared: { scene } }) => {
  const { epoch } = await scene.status();
  const { summary } = await scene.run((migration) => migration.rehearse());
  expect(summary.direction).toBe('rehearsal');
  expect(summary.pauseMs).toBeGreaterThan(0);
  // Steps are told when nobody waits any more; their times are those at which they ended.
  const [held, barrier, lateDdl] = summary.steps.filter(({ paused }) => paused);
  for (const [before, after] of [
    [held, barrier],
    [barrier, lateDdl],
  ])
    expect((after?.heldMs ?? 0) - (after?.ms ?? 0)).toBeGreaterThan((before?.heldMs ?? 0) - 0.1);
  expect(held?.heldMs).toBeGreaterThan(0);
  expect(await versionOf(client)).toBe('15');
  await client.query('INSERT INTO account (balance) VALUES (1)');
  expect(await scene.status()).toMatchObject({ phase: 'following', activeSide: 'source', epoch });
  await scene.expectEqual();
});

/** A traffic switch in front of whose pause something happens. */
const beforePause =
  (happens: () => Promise<unknown>) =>
  (real: TrafficSwitch): TrafficSwitch => ({
    ...bound(real),
    pause: async (options) => {
      await happens();
      return real.pause(options);
    },
  });

/** Somebody holds a sequence from the pause on, so that nobody else can read it. */
async function renamedInThePause(side: Database) {
  const holder = await openSession(side.address);
  // As a session of ours, whose DDL is not noted: noted, it would end the switch before.
  const rename = "BEGIN; SET application_name = 'pgglide: test'; ALTER SEQUENCE public.odd RENAME TO strange";
  const traffic = beforePause(() => holder.query(rename));
  return { traffic, end: () => holder.end() };
}

/** For its epoch, and by check-readiness. */
const BEFORE_REHEARSAL = 2;

describe('given up before the commit point', () => {
  /** Each makes one step of the pause fail, by what really makes it fail. */
  const failures: readonly {
    readonly step: string;
    readonly code: string;
    arrange(
      ends: Ends,
      scene: Scene,
    ): Promise<{ traffic?: (real: TrafficSwitch) => TrafficSwitch; end(): Promise<unknown> }>;
  }[] = [
    {
      step: 'check-readiness',
      code: 'not_ready',
      arrange: async ({ source }) => {
        const writer = await openSession(source.address);
        await writer.query('BEGIN; INSERT INTO account (balance) VALUES (9)');
        // Younger than a second it would be let end.
        await writer.query('SELECT pg_sleep(1.1)');
        return { end: () => writer.end() };
      },
    },
    {
      step: 'rehearse-queries',
      code: 'proxies_disagree',
      arrange: async () => {
        // One of two proxies is started again while the switch is prepared.
        let asked = 0;
        const disagree = () => Promise.reject(new UnprovenError('proxies_disagree', 'one is at the target'));
        return {
          traffic: (real) => ({
            ...bound(real),
            observe: () => {
              asked += 1;
              return asked > BEFORE_REHEARSAL ? disagree() : real.observe();
            },
          }),
          end: async () => undefined,
        };
      },
    },
    {
      step: 'pause-traffic',
      code: 'drain_timeout',
      arrange: async ({ source }, { proxy }) => {
        const app = `${source.name}_app`;
        const client = await openSession({ ...source.address, ...proxy, user: app, password: 'app' });
        const traffic = beforePause(() => client.query('BEGIN; SELECT 1'));
        return { traffic, end: () => client.end() };
      },
    },
    {
      step: 'raise-barrier',
      code: 'barrier_timeout',
      arrange: async ({ source }) => {
        const writer = await openSession(source.address);
        await writer.query('BEGIN; LOCK TABLE account IN ROW EXCLUSIVE MODE');
        return { end: () => writer.end() };
      },
    },
    {
      step: 'drain-replication',
      code: 'link_too_slow',
      arrange: async ({ source, target }) => {
        const holder = await openSession(target.address);
        const traffic = beforePause(async () => {
          await holder.query('BEGIN; LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE');
          await source.exec('INSERT INTO account (balance) VALUES (7)');
        });
        return { traffic, end: () => holder.end() };
      },
    },
    {
      step: 'carry-sequences, on the source',
      code: 'switchover_failed',
      arrange: (ends) => renamedInThePause(ends.source),
    },
    {
      step: 'carry-sequences, on the target',
      code: 'pause_budget_spent',
      arrange: (ends) => renamedInThePause(ends.target),
    },
    {
      step: 'announce-commit',
      code: 'switchover_failed',
      arrange: async () => ({
        traffic: (real) => ({ ...bound(real), committing: () => Promise.reject(new Error('proxy died')) }),
        end: async () => undefined,
      }),
    },
    {
      step: 'open-new-side',
      code: 'new_side_busy',
      arrange: async ({ target }) => {
        const holder = await openSession(target.address);
        const hold = await holdSubscriptionSql(target);
        return {
          traffic: (real) => ({
            ...bound(real),
            committing: async (to, epoch) => {
              await real.committing(to, epoch);
              await holder.query(hold);
            },
          }),
          end: () => holder.end(),
        };
      },
    },
    {
      step: 'commit-switch',
      code: 'epoch_moved',
      arrange: async ({ target }) => ({
        traffic: (real) => ({
          ...bound(real),
          committing: async (to, epoch) => {
            await real.committing(to, epoch);
            await target.exec('UPDATE pgglide.migration SET epoch = epoch + 1');
          },
        }),
        end: async () => undefined,
      }),
    },
  ];

  // In the order of the steps: each attempt gets past what the one before it failed at.
  for (const { step, code, arrange } of failures) {
    test(`at "${step}": traffic goes on where it was, and the next attempt gets further`, async ({
      shared: { source, target, scene },
    }) => {
      Object.assign(scene.settings.cutover, { pauseBudgetMs: 400 });
      const { traffic, end } = await arrange({ source, target }, scene);
      scene.events.length = 0;
      const attempt = scene.run((migration) => migration.cutover(), traffic ? { traffic } : {});
      await expect(attempt).rejects.toMatchObject({ code });
      const aborted = scene.events.find((event) => event.type === 'switchover-aborted');
      expect(aborted?.data).toMatchObject({ code });
      await client.query('INSERT INTO account (balance) VALUES (11)');
      expect(await versionOf(client)).toBe('15');
      await end();
      const slots =
        "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE '%rev%'";
      expect(await target.rows(slots)).toEqual([]);
    });
  }

  test('at each of them: nothing is lost, and a later cutover works', async ({
    shared: { target, scene },
  }) => {
    Object.assign(scene.settings.cutover, { pauseBudgetMs: 10_000 });
    const { verification } = await scene.cutover();
    expect(verification).toMatchObject({ equal: true, sequencesEqual: true });
    expect(await versionOf(client)).toBe('16');
    expect(await target.rows('SELECT count(*) FROM account WHERE balance = 11')).toEqual([
      { count: failures.length },
    ]);
    await scene.rollback();
  });
});

describe('interrupted after the commit point', () => {
  const deaths: readonly {
    readonly step: string;
    /** What a killed tool leaves: the commit point written, and nothing after it. */
    die(ends: Ends, resume: () => Promise<unknown>): Promise<unknown>;
  }[] = [
    { step: 'resume-traffic', die: () => Promise.reject(new Error('the tool died')) },
    {
      step: 'start-return-link',
      die: async ({ source }, resume) => {
        await source.exec(`
          CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END';
          CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('ALTER SUBSCRIPTION') EXECUTE FUNCTION public.refuse()`);
        return resume();
      },
    },
  ];

  for (const { step, die } of deaths) {
    test(`before "${step}": the next command goes forward`, async ({ shared: { source, target, scene } }) => {
      const attempt = scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          resume: async (side, epoch) => {
            const resumed = () => real.resume(side, epoch);
            return (await die({ source, target }, resumed)) as Awaited<ReturnType<typeof real.resume>>;
          },
        }),
      });
      await expect(attempt).rejects.toThrow(/the tool died|not now/);
      await source.exec('DROP EVENT TRIGGER IF EXISTS cut; DROP FUNCTION IF EXISTS public.refuse()');
      // Where the link does not run yet there is nothing to compare with; but nobody has altered it.
      await scene.verify().catch(() => undefined);
      const { summary } = await scene.rollback();
      expect(summary).toMatchObject({ direction: 'rollback', from: 'target', to: 'source' });
      await client.query('INSERT INTO account (balance) VALUES (12)');
      expect(await versionOf(client)).toBe('15');
      await scene.expectEqual();
    });
  }
});

test('a target that is lost when the end of a switch is told: the same command tells it, once', async ({
  shared: { target, scene },
}) => {
  const { epoch } = await scene.status();
  await target.exec(
    "ALTER TABLE pgglide.event ADD CONSTRAINT lost CHECK (type <> 'switchover-finished') NOT VALID",
  );
  await expect(scene.cutover()).rejects.toThrow('"lost"');
  await target.exec('ALTER TABLE pgglide.event DROP CONSTRAINT lost');
  const { summary } = await scene.cutover();
  expect(summary).toMatchObject({ direction: 'cutover', epoch: epoch + 1 });
  const events = await scene.run((migration) => migration.events());
  const told = events.filter(hasMovedTraffic).filter(({ data }) => data.epoch === summary.epoch);
  expect(told).toHaveLength(1);
  await scene.rollback();
});

test('at every moment one side at most takes writes, and the pause changes no trigger: both fences hang before it', async ({
  shared: { source, target, scene },
}) => {
  const refused = (side: Database) => expect(side.exec(INSERT)).rejects.toMatchObject({ code: '25006' });
  for (const [direction, from, to] of [
    ['cutover', source, target],
    ['rollback', target, source],
  ] as const) {
    await refused(to);
    const before: unknown[] = [];
    await scene.run((migration) => migration[direction](), {
      traffic: (real) => ({
        ...bound(real),
        prepare: async (side) => {
          before.push(await fenceTriggers(source), await fenceTriggers(target));
          return real.prepare(side);
        },
      }),
    });
    await refused(from);
    await to.exec(INSERT);
    expect(before).toEqual([await fenceTriggers(source), await fenceTriggers(target)]);
    const every = ['account', 'entry', 'reading', 'reading_1'].map((t) => expect.objectContaining({ t }));
    expect(before).toEqual([every, every]);
  }
});

test('whoever goes around the proxy meets the fence: at the barrier, with a snapshot from before the switch, on a table that was held before the pause, in a partition made after its fence', async ({
  shared: { source, target, scene },
}) => {
  const [around, reader, holder] = await Promise.all([
    openSession(source.address),
    openSession(source.address),
    openSession(source.address),
  ]);
  // Noted, the new partition would end the cutover.
  await source.exec('DROP EVENT TRIGGER pgglide_ddl; DROP TRIGGER pgglide_fence ON account');
  await holder.query('BEGIN; LOCK TABLE account IN ROW EXCLUSIVE MODE');
  let writing: Promise<unknown> | undefined;
  await scene.run((migration) => migration.cutover(), {
    traffic: (real) => ({
      ...bound(real),
      prepare: async (to) => {
        const fenced = (await fenceTriggers(source)).map(({ t }) => t);
        expect(fenced).toEqual(['entry', 'reading', 'reading_1']);
        await holder.query('COMMIT');
        await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM entry');
        for (const side of [source, target])
          await side.exec(
            "CREATE TABLE reading_2 PARTITION OF reading FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
          );
        return real.prepare(to);
      },
      committing: async (to, epoch) => {
        // The barrier stands now.
        writing = around
          .query('INSERT INTO entry (account, amount) VALUES (1, -1)')
          .catch((error: unknown) => error);
        await real.committing(to, epoch);
      },
    }),
  });
  const fenced = { code: '25006' };
  expect(await writing).toMatchObject(fenced);
  await expect(reader.query('UPDATE entry SET amount = -1')).rejects.toMatchObject(fenced);
  await expect(holder.query(INSERT)).rejects.toMatchObject(fenced);
  await expect(source.exec("INSERT INTO reading_2 VALUES (1, '2026-02-02')")).rejects.toMatchObject(fenced);
  await Promise.all([around.end(), reader.end(), holder.end()]);
  expect(await target.rows('SELECT count(*) FROM entry WHERE amount = -1')).toEqual([{ count: 0 }]);
  for (const side of [source, target]) await side.exec('DROP TABLE reading_2');
  await scene.rollback();
});

test('an abort that is cut off before its end is ended by the next one', async ({
  shared: { source, scene },
}) => {
  await source.exec(`
    CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END';
    CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION public.refuse()`);
  await expect(scene.abort()).rejects.toThrow('not now');
  await source.exec('DROP EVENT TRIGGER cut; DROP FUNCTION public.refuse()');
  expect(await scene.abort()).toEqual({ leftovers: [] });
});

test('begins anew after an abort, through a proxy that remembers the former switches', async ({
  shared: { scene },
}) => {
  await scene.sync();
  const { summary } = await scene.run((migration) => migration.rehearse());
  expect(summary.waits.failedRequests).toBe(0);
  await scene.cutover();
  await client.query('INSERT INTO account (balance) VALUES (4)');
  expect(await versionOf(client)).toBe('16');
});

test('complete lets the old server take writes also when it is told so only later', async ({
  shared: { source, scene },
}) => {
  const write = 'UPDATE account SET balance = 0';
  await scene.run((migration) => migration.complete({ dropFence: false }));
  await expect(source.exec(write)).rejects.toMatchObject({ code: '25006' });
  for (const _ of ['told', 'and once more']) {
    const dropped = await scene.run((migration) => migration.complete({ dropFence: true }));
    expect(dropped).toEqual({ fenceKept: false });
  }
  await source.exec(write);
  // As it is now, not as this command would leave it.
  expect(await scene.run((migration) => migration.complete({ dropFence: false }))).toEqual({
    fenceKept: false,
  });
});
