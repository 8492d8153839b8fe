import { describe, expect } from 'vitest';
import { until } from '../../src/base/async.ts';
import type { Database } from '../support/database.ts';
import { openSession, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const count = (side: Database, table: string) =>
  side.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).then(([row]) => row?.n);

const ids = async (side: Database, table: string) =>
  (await side.rows<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);

describe('case 14: a table created after the sync', () => {
  test('blocks the cutover; sync again brings it over, with its type, function, sequence, keys and rows, and back', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE old (id int PRIMARY KEY); INSERT INTO old VALUES (1)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await scene.cutover();
      await scene.rollback();
      await source.exec(`CREATE TYPE mood AS ENUM ('calm'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 7';
        CREATE TABLE "New one" (id serial PRIMARY KEY, old int REFERENCES old, mood mood, n int DEFAULT f());
        CREATE INDEX ON "New one" (mood); COMMENT ON TABLE "New one" IS 'late';
        INSERT INTO "New one" (old, mood) SELECT 1, 'calm' FROM generate_series(1, 100)`);
      await expect(scene.cutover()).rejects.toMatchObject({
        code: 'schema_drift',
      });
      const { sections } = await scene.run((migration) => migration.plan());
      expect(sections[0]).toMatchObject({
        title: expect.stringContaining('pgglide sync adds'),
        lines: [{ statement: 'public."New one"' }],
      });
      await scene.sync();
      await source.exec('INSERT INTO "New one" (old) VALUES (1)');
      await scene.expectEqual();
      expect(await count(target, '"New one"')).toBe(101);
      await scene.cutover();
      expect(await target.rows('INSERT INTO "New one" (old) VALUES (1) RETURNING id, n')).toEqual([
        { id: 102, n: 7 },
      ]);
      const { verification } = await scene.rollback();
      expect(verification?.equal).toBe(true);
      expect(await count(source, '"New one"')).toBe(102);
      scene.events.length = 0;
      await scene.sync();
      expect(
        scene.events.filter((event) => event.type === 'step-finished' && event.data.outcome === 'changed'),
      ).toEqual([]);
      expect(await scene.abort()).toEqual({ leftovers: [] });
    });
  });

  test('the application writes to it before, while and after it joins, and through the cutover: no row is lost', async ({
    source,
    target,
  }) => {
    const app = `${source.name}_app`;
    const grant = (table: string) => `GRANT ALL ON ${table}, ${table}_id_seq TO ${app}`;
    await source.exec(
      `CREATE ROLE ${app} LOGIN PASSWORD 'app'; CREATE TABLE old (id serial PRIMARY KEY); ${grant('old')}`,
    );
    await withScene({ source, target }, async (scene) => {
      const run = (command: 'sync' | 'verify' | 'cutover' | 'rollback') =>
        scene.run(async (migration) => void (await migration[command]()));
      await run('sync');
      await source.exec(
        `CREATE TABLE late (id serial PRIMARY KEY, old int REFERENCES old); ${grant('late')}`,
      );
      const client = await openSession({ ...source.address, ...scene.proxy, user: app, password: 'app' });
      const written = { late: [] as number[], old: [] as number[] };
      let isOver = false;
      const write = async (table: 'late' | 'old') => {
        const { rows } = await client.query<{ id: number }>(
          `INSERT INTO ${table} DEFAULT VALUES RETURNING id`,
        );
        written[table].push(...rows.map(({ id }) => id));
      };
      const writing = (async () => {
        while (!isOver) {
          await write('late');
          await write('old');
        }
      })();
      const more = async () => {
        const before = written.late.length;
        const grown = async () => (written.late.length > before + 20 ? true : undefined);
        await until('more rows', grown, { timeoutMs: 30_000 });
      };
      try {
        await more();
        await expect(run('cutover')).rejects.toMatchObject({
          code: 'schema_drift',
          message: expect.stringContaining('late'),
          hint: expect.stringContaining('pgglide sync adds'),
        });
        await run('sync');
        await more();
        await run('verify');
        await run('cutover');
        await more();
        await run('rollback');
        await more();
      } finally {
        isOver = true;
        await writing.finally(() => client.end());
      }
      await scene.expectEqual();
      for (const side of [source, target])
        for (const table of ['late', 'old'] as const) expect(await ids(side, table)).toEqual(written[table]);
      await scene.abort();
    });
  });

  test('a sync that is stopped while it adds one lets nobody cut over, and the next one ends it', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE old (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec('CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
      for (const stop of ['carry-roles', 'load-schema']) {
        const controller = new AbortController();
        const stopped = scene.run((migration) => migration.sync(), {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.type === 'step-finished' && event.data.step === stop)
              controller.abort(new Error('stopped'));
          },
        });
        await expect(stopped).rejects.toThrow('stopped');
        await expect(scene.cutover()).rejects.toMatchObject({
          code: 'wrong_phase',
        });
      }
      await scene.sync();
      await scene.expectEqual();
      expect(await count(target, 'late')).toBe(1);
      await scene.abort();
    });
  });

  test('under the name of one that was dropped on both sides, it is copied like any other', async ({
    source,
    target,
  }) => {
    const late = 'CREATE TABLE late (id int PRIMARY KEY)';
    await source.exec(`CREATE TABLE old (id int PRIMARY KEY); ${late}; INSERT INTO late VALUES (1)`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      for (const side of [source, target]) await side.exec('DROP TABLE late');
      await scene.sync();
      for (const side of [source, target]) await side.exec(late);
      await source.exec('INSERT INTO late SELECT generate_series(1, 10)');
      await scene.sync();
      await source.exec('INSERT INTO late VALUES (11)');
      await scene.expectEqual();
      expect(await count(target, 'late')).toBe(11);
      await scene.abort();
    });
  });

  test('without a replica identity it is refused before it is published, and joins once it has one', async ({
    source,
    target,
  }) => {
    await source.exec('CREATE TABLE old (id int PRIMARY KEY)');
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec('CREATE TABLE late (a int); INSERT INTO late VALUES (1)');
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'new_table_without_identity',
        exitCode: 3,
      });
      await source.exec('UPDATE late SET a = 2; ALTER TABLE late ADD PRIMARY KEY (a)');
      await scene.sync();
      await scene.expectEqual();
      await source.exec('DROP TABLE late');
      await target.exec('DROP TABLE late');
      await scene.sync();
      await scene.cutover();
      await scene.rollback();
      await scene.abort();
    });
  });
});

describe('case 36: a partition created during the run', () => {
  test('stops the apply worker at its first row; sync again makes it, and nothing is lost', async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE log (id int, day int, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE INDEX log_note ON log (note);
      CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); INSERT INTO log SELECT g, g FROM generate_series(1, 9) g`);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec(`CREATE TABLE log_2 (LIKE log); ALTER TABLE log_2 ADD CONSTRAINT own_name PRIMARY KEY (id, day);
        CREATE INDEX own_index ON log_2 (note);
        ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES FROM (10) TO (20); INSERT INTO log VALUES (10, 10)`);
      await expect(scene.cutover()).rejects.toMatchObject({ exitCode: 6 });
      await scene.sync();
      await source.exec("UPDATE log SET note = 'seen' WHERE day >= 9");
      await scene.expectEqual();
      expect(await count(target, 'log_2')).toBe(1);
      const { verification } = await scene.cutover();
      expect(verification?.equal).toBe(true);
      await scene.rollback();
      await source.exec('ALTER TABLE log DETACH PARTITION log_1');
      await target.exec('ALTER TABLE log DETACH PARTITION log_1');
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });

  const KEYLESS = `CREATE TABLE log (id int, day int) PARTITION BY LIST (day); ALTER TABLE log REPLICA IDENTITY FULL;
    CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1); ALTER TABLE log_1 REPLICA IDENTITY FULL; INSERT INTO log VALUES (1, 1)`;

  test('of a table without a key is found by the whole row at once, like its parent, on either side', async ({
    source,
    target,
  }) => {
    await source.exec(KEYLESS);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec(`CREATE TABLE log_2 PARTITION OF log FOR VALUES IN (2); CREATE TABLE log_3 (day int, id int);
        ALTER TABLE log ATTACH PARTITION log_3 FOR VALUES IN (3); INSERT INTO log VALUES (2, 2), (3, 3)`);
      await source.exec('UPDATE log SET id = id + 10; DELETE FROM log WHERE day = 3');
      await scene.sync();
      await scene.expectEqual();
      await scene.cutover();
      for (const side of [target, source])
        await side.exec('CREATE TABLE log_4 PARTITION OF log FOR VALUES IN (4)');
      await target.exec('INSERT INTO log VALUES (4, 4); UPDATE log SET id = id + 10');
      await scene.expectEqual();
      const { verification } = await scene.rollback();
      expect(verification?.equal).toBe(true);
      expect(await ids(source, 'log')).toEqual([14, 21, 22]);
      await scene.abort();
    });
  });

  test('without an identity it is named, where our role may not give it one', async ({ source, target }) => {
    await source.exec(KEYLESS);
    await withScene({ source, target }, async (scene) => {
      await scene.sync();
      await source.exec(`DROP EVENT TRIGGER pgglide_identity;
        CREATE TABLE log_2 PARTITION OF log FOR VALUES IN (2); INSERT INTO log VALUES (2, 2)`);
      await expect(source.exec('UPDATE log SET id = 3')).rejects.toThrow('replica identity');
      const repair = 'ALTER TABLE "public"."log_2" REPLICA IDENTITY FULL;';
      await expect(scene.sync()).rejects.toMatchObject({
        code: 'new_table_without_identity',
        message: expect.stringMatching(/: public\.log_2$/),
        hint: expect.stringContaining(repair),
      });
      await source.exec(`${repair} UPDATE log SET id = 3`);
      await scene.sync();
      await scene.expectEqual();
      await scene.abort();
    });
  });
});
