import { expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const finish = async (scene: Scene) => {
  const { phase } = await scene.status();
  if (phase === 'switched') await scene.rollback();
  expect(await scene.abort()).toEqual({ leftovers: [] });
};

const ids = (side: Database) =>
  side.rows<{ id: number }>('SELECT id FROM t ORDER BY id').then((rows) => rows.map(({ id }) => id));

const T = 'CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1)';

test('case 3: what was sent and is not applied counts as missing: the switch goes back, then takes it along', async ({
  source,
  target,
}) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    Object.assign(scene.settings.cutover, { pauseBudgetMs: 400 });
    const holder = await openSession(target.address);
    const attempt = scene.run((migration) => migration.cutover(), {
      traffic: (real) => ({
        observe: () => real.observe(),
        prepare: (to) => real.prepare(to),
        pause: async (options) => {
          // The walsender sends it at once; the apply worker waits for this lock.
          await holder.query('BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE');
          await source.exec('INSERT INTO t VALUES (2, 2)');
          return real.pause(options);
        },
        renew: (leaseMs) => real.renew(leaseMs),
        committing: (to, epoch) => real.committing(to, epoch),
        resume: (side, epoch) => real.resume(side, epoch),
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      }),
    });
    await expect(attempt).rejects.toMatchObject({ code: 'link_too_slow', exitCode: 6 });
    await holder.end();
    Object.assign(scene.settings.cutover, { pauseBudgetMs: 10_000 });
    await scene.cutover();
    expect(await ids(target)).toEqual([1, 2]);
    await finish(scene);
  });
});

test('case 4: no session can undo the fence, a superuser’s neither', async ({ source, target }) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const tryAll = async (side: Database) => {
      await side.exec('SET default_transaction_read_only = off');
      for (const write of [
        'INSERT INTO t VALUES (9)',
        'UPDATE t SET n = 9',
        'DELETE FROM t',
        'TRUNCATE t',
        'BEGIN READ WRITE; DELETE FROM t',
      ]) {
        await expect(side.exec(write)).rejects.toMatchObject({ code: '25006' });
        await side.exec('ROLLBACK');
      }
    };
    await tryAll(target);
    await scene.cutover();
    await tryAll(source);
    await target.exec('INSERT INTO t VALUES (2)');
    await finish(scene);
  });
});

test('case 4: nor do the ways of bulk loads get past it: no triggers for this session, or the triggers disabled', async ({
  source,
  target,
}) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const tryAll = async (side: Database) => {
      const refused = (statements: string) =>
        expect(side.exec(statements)).rejects.toMatchObject({ code: '25006' });
      await side.exec('SET session_replication_role = replica');
      for (const write of ['INSERT INTO t VALUES (9)', 'DELETE FROM t', 'TRUNCATE t']) await refused(write);
      await side.exec('RESET session_replication_role');
      for (const disable of ['DISABLE TRIGGER USER', 'DISABLE TRIGGER ALL', 'ENABLE TRIGGER pgglide_fence'])
        await refused(`ALTER TABLE t ${disable}`);
      // Other DDL may run on both sides at any time.
      await side.exec('ALTER TABLE t ALTER n SET STATISTICS 50; ALTER TABLE t ALTER n SET STATISTICS -1');
    };
    await tryAll(target);
    await scene.cutover();
    await tryAll(source);
    await target.exec('ALTER TABLE t DISABLE TRIGGER USER; ALTER TABLE t ENABLE TRIGGER USER');
    await scene.rollback();
    await tryAll(target);

    // As where our role may create no event triggers.
    await target.exec('DROP EVENT TRIGGER pgglide_keep_fence; ALTER TABLE t DISABLE TRIGGER USER');
    expect((await scene.status()).problems).toEqual([
      expect.stringMatching(/^the fence of 1 table of the target does not stop every write/),
    ]);
    await scene.sync();
    expect((await scene.status()).problems).toEqual([]);
    await tryAll(target);
    await finish(scene);
  });
});

test('case 4: the link’s TRUNCATE passes it', async ({ source, target }) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec('TRUNCATE t; INSERT INTO t VALUES (7)');
    await expect.poll(() => ids(target), { timeout: 30_000 }).toEqual([7]);
    await scene.cutover();
    await target.exec('TRUNCATE t');
    await expect.poll(() => ids(source), { timeout: 30_000 }).toEqual([]);
    await finish(scene);
  });
});

test('case 5: sequences of every kind go on exactly where they were, there and back', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE t (id serial PRIMARY KEY, n int); INSERT INTO t (n) SELECT g FROM generate_series(1, 100) g;
    DELETE FROM t WHERE id > 50;
    CREATE SEQUENCE not_called; SELECT setval('not_called', 5, false);
    CREATE SEQUENCE down AS smallint INCREMENT -3 MAXVALUE 100 START 100; SELECT nextval('down');
    CREATE SEQUENCE cached CACHE 20; SELECT nextval('cached');
    CREATE SEQUENCE around AS smallint MAXVALUE 3 CYCLE; SELECT nextval('around'), nextval('around'), nextval('around');
    CREATE SEQUENCE huge; SELECT setval('huge', 9007199254740993)`);
  const next = (side: Database) =>
    side.rows(
      `SELECT nextval('t_id_seq')::text AS t, nextval('not_called')::text AS n, nextval('down')::text AS d,
        nextval('around')::text AS a, nextval('huge')::text AS h`,
    );
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await scene.cutover();
    expect(await next(target)).toEqual([{ t: '101', n: '5', d: '97', a: '1', h: '9007199254740994' }]);
    await scene.rollback();
    expect(await next(source)).toEqual([{ t: '102', n: '6', d: '94', a: '2', h: '9007199254740995' }]);
    await finish(scene);
  });
});

test('case 12: a conflict is shown and nothing can be switched; once it is mended the link goes on by itself', async ({
  source,
  target,
}) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await target.exec(
      'SET session_replication_role = replica; SET pgglide.passes_fence = on; INSERT INTO t VALUES (2, 0)',
    );
    await source.exec('INSERT INTO t VALUES (2, 2); INSERT INTO t VALUES (3, 3)');
    await expect
      .poll(async () => (await scene.status()).problems.join(), {
        timeout: 30_000,
      })
      .toMatch(/^subscription .* stopped at .* is there already/);
    await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_ready' });
    await target.exec('DELETE FROM t WHERE id = 2');
    await expect
      .poll(() => target.rows('SELECT id FROM t WHERE id > 1 ORDER BY id'), { timeout: 30_000 })
      .toEqual([{ id: 2 }, { id: 3 }]);
    await scene.expectEqual();
    await finish(scene);
  });
});

test('case 18: a client in the middle of a transaction finishes it on the old side; one that does not ends the attempt', async ({
  source,
  target,
}) => {
  const app = `${source.name}_app`;
  await source.exec(`${T}; CREATE ROLE ${app} LOGIN PASSWORD 'app'; GRANT ALL ON t TO ${app}`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const client = await openSession({ ...source.address, ...scene.proxy, user: app, password: 'app' });
    await client.query('BEGIN; INSERT INTO t VALUES (2, 2)');
    Object.assign(scene.settings.cutover, { pauseBudgetMs: 300 });
    await expect(scene.cutover()).rejects.toMatchObject({ exitCode: 6 });
    await client.query('INSERT INTO t VALUES (3, 3); COMMIT');
    expect(await ids(source)).toEqual([1, 2, 3]);
    Object.assign(scene.settings.cutover, { pauseBudgetMs: 10_000 });

    let isHeld: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      isHeld = resolve;
    });
    await client.query('BEGIN; INSERT INTO t VALUES (4, 4)');
    const switching = scene.run((migration) => migration.cutover(), {
      traffic: (real) => ({
        observe: () => real.observe(),
        prepare: (to) => real.prepare(to),
        pause: async (options) => {
          const pausing = real.pause(options);
          isHeld();
          return pausing;
        },
        renew: (leaseMs) => real.renew(leaseMs),
        committing: (to, epoch) => real.committing(to, epoch),
        resume: (side, epoch) => real.resume(side, epoch),
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      }),
    });
    // Readiness refuses a transaction that has become old before the pause: then nothing was held.
    const outcome = await Promise.race([
      held.then(() => 'held' as const),
      switching.catch(() => 'refused' as const),
    ]);
    await client.query('COMMIT');
    if (outcome === 'held') await switching.catch(() => undefined);
    if ((await scene.status()).phase === 'following') await scene.cutover();
    await client.query('INSERT INTO t VALUES (5, 5)');
    expect(await ids(target)).toEqual([1, 2, 3, 4, 5]);
    await client.end();
    await finish(scene);
  });
});

test('case 19: named statements and advisory locks move with the session; a temporary table keeps the switch from starting', async ({
  source,
  target,
}) => {
  const app = `${source.name}_app`;
  await source.exec(`${T}; CREATE ROLE ${app} LOGIN PASSWORD 'app'; GRANT ALL ON t TO ${app}`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const client = await openSession({ ...source.address, ...scene.proxy, user: app, password: 'app' });
    const read = { name: 'read', text: 'SELECT id FROM t WHERE id = $1' };
    await client.query({ ...read, values: [1] });
    await client.query('SELECT pg_advisory_lock(7)');
    await client.query('CREATE TEMP TABLE scratch (a int)');
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'sessions_not_movable',
      exitCode: 6,
    });
    await client.query('DROP TABLE scratch; DISCARD TEMP');
    await scene.cutover();
    expect((await client.query({ ...read, values: [1] })).rows).toEqual([{ id: 1 }]);
    expect((await client.query('SELECT pg_advisory_unlock(7) AS held')).rows).toEqual([{ held: true }]);
    await client.end();
    await finish(scene);
  });
});

test('case 20: a long writing transaction is seen before anybody waits', async ({ source, target }) => {
  await source.exec(T);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    const writer = await openSession(source.address);
    await writer.query('BEGIN; INSERT INTO t SELECT g, g FROM generate_series(2, 20000) g');
    await expect
      .poll(
        () =>
          source.rows(
            `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL
               AND xact_start < clock_timestamp() - interval '1 second'`,
          ),
        { timeout: 20_000 },
      )
      .toHaveLength(1);
    scene.events.length = 0;
    await expect(scene.cutover()).rejects.toMatchObject({ code: 'not_ready' });
    const steps = scene.events.flatMap((event) =>
      event.type === 'switchover-step' ? [event.data.step.id] : [],
    );
    expect(steps).not.toContain('pause-traffic');
    await writer.query('COMMIT');
    await writer.end();
    const { verification } = await scene.cutover();
    expect(verification).toMatchObject({ equal: true });
    await finish(scene);
  });
});

test('case 23: never both directions at once, and no row comes back to where it was written', async ({
  source,
  target,
}) => {
  await source.exec(
    `CREATE TABLE t (id int, n int); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 1)`,
  );
  const enabled = (side: Database) =>
    side
      .rows(
        'SELECT 1 FROM pg_subscription WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())',
      )
      .then((rows) => rows.length);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    for (const round of [0, 1]) {
      await source.exec(`INSERT INTO t VALUES (${10 + round}, 0); UPDATE t SET n = n + 1 WHERE id = 1`);
      await scene.cutover();
      expect([await enabled(source), await enabled(target)]).toEqual([1, 0]);
      await target.exec(`INSERT INTO t VALUES (${20 + round}, 0); UPDATE t SET n = n + 1 WHERE id = 1`);
      await scene.rollback();
      expect([await enabled(source), await enabled(target)]).toEqual([0, 1]);
    }
    for (const side of [source, target]) {
      expect(await ids(side)).toEqual([1, 10, 11, 20, 21]);
      expect(await side.rows('SELECT n FROM t WHERE id = 1')).toEqual([{ n: 5 }]);
    }
    await finish(scene);
  });
});

test('a VACUUM by hand, which does not yield to the barrier, puts the switch off before anybody waits', async ({
  source,
  target,
}) => {
  await source.exec(`${T}; INSERT INTO t SELECT n, n FROM generate_series(2, 100000) n`);
  await withScene({ source, target }, async (scene) => {
    await scene.sync();
    await source.exec('DELETE FROM t WHERE id % 2 = 0');
    const vacuumer = await openSession(source.address);
    const { processID } = vacuumer as unknown as { processID: number };
    await vacuumer.query("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1");
    const vacuumed = vacuumer.query('VACUUM public.t').catch((error: { code?: string }) => error.code);
    await until(
      'a vacuum of more than a second',
      async () =>
        (
          await source.rows<{ one: number }>(
            `SELECT 1 AS one FROM pg_stat_activity JOIN pg_locks USING (pid)
           WHERE pid = ${processID} AND relation = 'public.t'::regclass AND xact_start < clock_timestamp() - interval '1 s'`,
          )
        ).length > 0 || undefined,
      { timeoutMs: 30_000 },
    );
    await expect(scene.cutover()).rejects.toMatchObject({
      code: 'not_ready',
      message: expect.stringContaining(`public.t by pid ${processID}`),
      hint: expect.stringContaining('pg_cancel_backend'),
    });
    await source.exec(`SELECT pg_cancel_backend(${processID})`);
    expect(await vacuumed).toBe('57014');
    await scene.cutover();
    await vacuumer.end();
    await finish(scene);
  });
});
