import { describe, expect } from 'vitest';
import type { TrafficSwitch } from '../../src/traffic/traffic-switch.ts';
import type { Database } from '../support/database.ts';
import { bound, holdSubscriptionSql, openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** The application's own role, whose password the proxy never learns. */
const shop = (app: string) => `
  CREATE ROLE ${app} LOGIN PASSWORD 'app';
  CREATE TABLE public.account (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, balance int NOT NULL);
  CREATE TABLE public.entry (id serial PRIMARY KEY, account bigint REFERENCES public.account, amount int);
  CREATE SEQUENCE public.odd AS smallint INCREMENT -3 MAXVALUE 100 START 100 CACHE 5;
  SELECT nextval('public.odd');
  INSERT INTO public.account (balance) SELECT 0 FROM generate_series(1, 100);
  GRANT ALL ON ALL TABLES IN SCHEMA public TO ${app}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${app}`;

interface Ends {
  readonly source: Database;
  readonly target: Database;
}

/** A synced pair with one client session through the proxy, open from before the first switch. */
async function play(
  ends: Ends,
  work: (scene: Scene, client: Awaited<ReturnType<typeof openSession>>) => Promise<void>,
) {
  const app = `${ends.source.name}_app`;
  await ends.source.exec(shop(app));
  await withScene(ends, async (scene) => {
    await scene.sync();
    const client = await openSession({ ...ends.source.address, ...scene.proxy, user: app, password: 'app' });
    try {
      await work(scene, client);
    } finally {
      await client.end();
      const phase = (await scene.status()).phase;
      if (phase === 'switched') await scene.rollback();
      await scene.abort();
    }
  });
}

const versionOf = async (client: { query(text: string): Promise<{ rows: { v: string }[] }> }) =>
  (await client.query("SELECT split_part(current_setting('server_version'), '.', 1) AS v")).rows[0]?.v;

/** With the transaction that last changed each. */
const fenceTriggers = (side: Database) =>
  side.rows(
    "SELECT tgrelid::regclass::text AS t, xmin::text AS x FROM pg_trigger WHERE tgname = 'pgglide_fence' ORDER BY 1",
  );

describe('cutover and rollback', () => {
  test('a session moves without noticing, and what it writes reaches both sides', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, client) => {
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
  });

  test('at every moment one side at most takes writes', async ({ source, target }) => {
    await play({ source, target }, async (scene) => {
      const insert = 'INSERT INTO account (balance) VALUES (0)';
      await expect(target.exec(insert)).rejects.toMatchObject({ code: '25006' });
      await scene.cutover();
      await expect(source.exec(insert)).rejects.toMatchObject({ code: '25006' });
      await target.exec(insert);
      await scene.rollback();
      await expect(target.exec(insert)).rejects.toMatchObject({ code: '25006' });
      await source.exec(insert);
    });
  });

  test('a client that goes around the proxy and waits at the barrier gets the fence, not a lost write', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene) => {
      const around = await openSession(source.address);
      let writing: Promise<unknown> | undefined;
      await scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          committing: async (to, epoch) => {
            // The barrier stands now.
            writing = around
              .query('INSERT INTO account (balance) VALUES (-1)')
              .catch((error: unknown) => error);
            await real.committing(to, epoch);
          },
        }),
      });
      expect(await writing).toMatchObject({ code: '25006' });
      await around.end();
      expect(await target.rows('SELECT count(*) FROM account WHERE balance = -1')).toEqual([{ count: 0 }]);
    });
  });

  test('a partition made after its fence was prepared is fenced all the same', async ({ source, target }) => {
    await source.exec(`
      CREATE TABLE reading (id int, at date NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE reading_1 PARTITION OF reading FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      ALTER TABLE reading ADD PRIMARY KEY (id, at)`);
    await play({ source, target }, async (scene) => {
      // Noted, it would end the cutover.
      await source.exec('DROP EVENT TRIGGER pgglide_ddl');
      await scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          prepare: async (to) => {
            for (const side of [source, target]) {
              await side.exec(
                "CREATE TABLE reading_2 PARTITION OF reading FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
              );
            }
            return real.prepare(to);
          },
        }),
      });
      await expect(source.exec("INSERT INTO reading_2 VALUES (1, '2026-02-02')")).rejects.toMatchObject({
        code: '25006',
      });
      for (const side of [source, target]) await side.exec('DROP TABLE reading_2');
    });
  });

  test('the pause changes no trigger: both fences hang before it', async ({ source, target }) => {
    await play({ source, target }, async (scene) => {
      for (const direction of ['cutover', 'rollback'] as const) {
        const before: unknown[] = [];
        await scene.run((migration) => migration[direction](), {
          traffic: (real) => ({
            ...bound(real),
            prepare: async (to) => {
              before.push(await fenceTriggers(source), await fenceTriggers(target));
              return real.prepare(to);
            },
          }),
        });
        expect(before).toEqual([await fenceTriggers(source), await fenceTriggers(target)]);
        expect(before).toEqual([
          [expect.objectContaining({ t: 'account' }), expect.objectContaining({ t: 'entry' })],
          [expect.objectContaining({ t: 'account' }), expect.objectContaining({ t: 'entry' })],
        ]);
      }
    });
  });

  test('a table that is held before the pause gets its fence in it', async ({ source, target }) => {
    await play({ source, target }, async (scene) => {
      const holder = await openSession(source.address);
      await holder.query('BEGIN; LOCK TABLE account IN ROW EXCLUSIVE MODE');
      await scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          prepare: async (to) => {
            expect(await fenceTriggers(source)).toMatchObject([{ t: 'entry' }]);
            await holder.query('COMMIT');
            return real.prepare(to);
          },
        }),
      });
      await expect(holder.query('INSERT INTO account (balance) VALUES (0)')).rejects.toMatchObject({
        code: '25006',
      });
      await holder.end();
    });
  });

  test('a transaction with a snapshot from before the switch meets the fence too', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene) => {
      const reader = await openSession(source.address);
      await scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          prepare: async (to) => {
            await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM account');
            return real.prepare(to);
          },
        }),
      });
      await expect(reader.query('UPDATE account SET balance = -1')).rejects.toMatchObject({ code: '25006' });
      await reader.end();
    });
  });

  test('begins anew after an abort, through a proxy that remembers the former switches', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, client) => {
      await scene.cutover();
      await scene.rollback();
      await scene.abort();
      await scene.sync();
      const { summary } = await scene.run((migration) => migration.rehearse());
      expect(summary.waits.failedRequests).toBe(0);
      await scene.cutover();
      await client.query('INSERT INTO account (balance) VALUES (4)');
      expect(await versionOf(client)).toBe('16');
    });
  });

  test('complete lets the old server take writes also when it is told so only later', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE account (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      const insert = 'INSERT INTO account VALUES (1)';
      await scene.run((migration) => migration.complete({ dropFence: false }));
      await expect(source.exec(insert)).rejects.toMatchObject({ code: '25006' });
      for (const _ of ['told', 'and once more']) {
        const dropped = await scene.run((migration) => migration.complete({ dropFence: true }));
        expect(dropped).toEqual({ fenceKept: false });
      }
      await source.exec(insert);
      // As it is now, not as this command would leave it.
      expect(await scene.run((migration) => migration.complete({ dropFence: false }))).toEqual({
        fenceKept: false,
      });
    });
  });

  test('an abort that is cut off before its end is ended by the next one', async ({ source, target }) => {
    await source.exec(`CREATE TABLE account (id int PRIMARY KEY);
      CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END'`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec(
        "CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION public.refuse()",
      );
      await expect(scene.abort()).rejects.toThrow('not now');
      await source.exec('DROP EVENT TRIGGER cut');
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('a rehearsal measures the stall and changes nothing', async ({ source, target }) => {
    await play({ source, target }, async (scene, client) => {
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
      const status = await scene.status();
      expect(status).toMatchObject({ phase: 'following', activeSide: 'source', epoch: 0 });
      await scene.expectEqual();
    });
  });
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
      step: 'announce-commit',
      code: 'switchover_failed',
      arrange: async () => ({
        traffic: (real) => ({ ...bound(real), committing: () => Promise.reject(new Error('proxy died')) }),
        end: async () => undefined,
      }),
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

  for (const { step, code, arrange } of failures) {
    test(`at "${step}": traffic goes on where it was, nothing is lost, and a later cutover works`, async ({
      source,
      target,
    }) => {
      await play({ source, target }, async (scene, client) => {
        Object.assign(scene.settings.cutover, { pauseBudgetMs: 400 });
        const { traffic, end } = await arrange({ source, target }, scene);
        const attempt = scene.run((migration) => migration.cutover(), traffic ? { traffic } : {});
        await expect(attempt).rejects.toMatchObject({ code });
        const aborted = scene.events.find((event) => event.type === 'switchover-aborted');
        if (step !== 'pin-snapshots') expect(aborted?.data).toMatchObject({ code });
        await client.query('INSERT INTO account (balance) VALUES (11)');
        expect(await versionOf(client)).toBe('15');
        await end();
        const slots =
          "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE '%rev%'";
        expect(await target.rows(slots)).toEqual([]);

        Object.assign(scene.settings.cutover, { pauseBudgetMs: 10_000 });
        const { verification } = await scene.cutover();
        expect(verification).toMatchObject({ equal: true, sequencesEqual: true });
        expect(await versionOf(client)).toBe('16');
        expect(await target.rows('SELECT count(*) FROM account WHERE balance = 11')).toEqual([{ count: 1 }]);
      });
    });
  }
});

describe('interrupted after the commit point', () => {
  for (const step of ['lift-fence', 'resume-traffic', 'start-return-link']) {
    test(`before "${step}": the next command goes forward`, async ({ source, target }) => {
      await play({ source, target }, async (scene, client) => {
        // What a killed tool leaves: the commit point written, and nothing after it.
        await scene
          .run((migration) => migration.cutover(), {
            traffic: (real) => ({
              ...bound(real),
              resume: (side, epoch) =>
                step === 'resume-traffic' || step === 'lift-fence'
                  ? Promise.reject(new Error('the tool died'))
                  : real.resume(side, epoch),
            }),
          })
          .catch(() => undefined);
        const { summary } = await scene.rollback().catch(async (error: unknown) => {
          throw error;
        });
        expect(summary).toMatchObject({ direction: 'rollback', from: 'target', to: 'source' });
        await client.query('INSERT INTO account (balance) VALUES (12)');
        expect(await versionOf(client)).toBe('15');
        await scene.expectEqual();
      });
    });
  }
});
