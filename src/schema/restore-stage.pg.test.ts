import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { schemaDifferences } from '../../test/support/whole-schema.ts';
import type { PgglideError } from '../domain/errors.ts';
import { Connection } from '../postgres/connection.ts';
import { sql, trusted } from '../postgres/sql.ts';
import { classifyRestore } from './classify-restore.ts';
import { dumpSchema } from './dump-schema.ts';
import { type RestoreOptions, restoreStage } from './restore-stage.ts';
import type { SchemaStatement } from './statement.ts';

const DDL = `
  CREATE TABLE a (id int PRIMARY KEY, x int, y text UNIQUE);
  CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, a2 int REFERENCES a);
  CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a, b int REFERENCES b);
  CREATE INDEX ON a (x); CREATE INDEX ON a USING hash (x); CREATE INDEX ON b (a);
  CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION tf();
  CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM a`;

/** A record as the state keeps it: a table of statement numbers on the target. */
async function recorder(target: Database) {
  await target.exec('CREATE TABLE done (n int PRIMARY KEY)');
  return {
    record: async (connection: Connection, statements: readonly SchemaStatement[]) => {
      for (const { n } of statements) await connection.execute(sql`INSERT INTO public.done VALUES (${n})`);
    },
    done: async () => new Set((await target.rows<{ n: number }>('SELECT n FROM done')).map(({ n }) => n)),
  };
}

const connecting = (target: Database) => () => Connection.open(target.address, { purpose: 'test restore' });

async function runAll(
  statements: readonly SchemaStatement[],
  options: Omit<RestoreOptions, 'stage'>,
): Promise<void> {
  for (const stage of classifyRestore(statements)) await restoreStage({ ...options, stage });
}

test('killed between any two transactions, the next run executes exactly what is missing', async ({
  source,
  target,
}) => {
  await source.exec(DDL);
  const statements = await dumpSchema(source.address);
  const { record, done } = await recorder(target);
  const isKillable = async () => (await done()).size < statements.length;
  for (let runs = 0; await isKillable(); runs += 1) {
    expect(runs).toBeLessThan(statements.length);
    const before = await done();
    const left = statements.filter(({ n }) => !before.has(n));
    let transactions = 0;
    // Every second transaction dies after its statements, with its record written but not committed.
    const dying: typeof record = async (connection, batch) => {
      await record(connection, batch);
      transactions += 1;
      if (transactions === 2) connection.destroy();
    };
    await runAll(left, { connect: connecting(target), width: 2, record: dying }).catch(() => undefined);
    await expect
      .poll(() =>
        target.rows(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ 'test restore'`,
        ),
      )
      .toEqual([]);
  }
  await target.exec('DROP TABLE done');
  expect(await schemaDifferences(source.connection, target.connection)).toEqual([]);
});

test('a statement that is refused is named with its cause, and what was done stays done', async ({
  source,
  target,
}) => {
  await source.exec(
    'CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE UNIQUE INDEX bad ON a (x); CREATE INDEX good ON b (x)',
  );
  const statements = await dumpSchema(source.address);
  const { record, done } = await recorder(target);
  const [preData, indexes] = classifyRestore(statements);
  const options = { connect: connecting(target), width: 1, record };
  if (preData) await restoreStage({ ...options, stage: preData });
  await target.exec('INSERT INTO a VALUES (1), (1)');
  const failing = restoreStage({
    ...options,
    stage: indexes ?? { name: 'indexes', mode: 'parallel', tasks: [] },
  });
  await expect(failing).rejects.toMatchObject({
    code: 'schema_statement_failed',
    message: expect.stringContaining('INDEX bad'),
  });
  expect((await done()).size).toBe(2);
});

test('a refused user mapping is named without its password', async ({ target }) => {
  const statement: SchemaStatement = {
    n: 0,
    section: 'pre-data',
    kind: 'USER MAPPING',
    name: 'USER MAPPING PUBLIC SERVER "far"',
    sql: `CREATE USER MAPPING FOR PUBLIC SERVER "far" OPTIONS (user 'me', password 'hunter2');`,
  };
  const { record } = await recorder(target);
  const refused = await runAll([statement], { connect: connecting(target), width: 1, record }).catch(
    (error: unknown) => error,
  );
  expect(refused).toMatchObject({ code: 'schema_statement_failed', facts: { n: 0 } });
  const { message, hint, facts } = refused as PgglideError;
  expect(JSON.stringify({ message, hint, facts })).not.toContain('hunter2');
});

test('of a batch, what came before the refused statement stays done', async ({ target }) => {
  const { record, done } = await recorder(target);
  const texts = [
    'CREATE TABLE public.a ();',
    'CREATE TABLE public.b (x no_such_type);',
    'CREATE TABLE public.c ();',
  ];
  const statements = texts.map(
    (text, n): SchemaStatement => ({ n, section: 'pre-data', kind: 'TABLE', name: `t${n}`, sql: text }),
  );
  const running = runAll(statements, { connect: connecting(target), width: 1, record });
  await expect(running).rejects.toMatchObject({
    message: expect.stringContaining('TABLE t1: type "no_such_type"'),
  });
  expect([...(await done())]).toEqual([0]);
});

test('case 7: a function that needs its role’s search_path is named, with how to mend it', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE FUNCTION inner_norm(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(t)';
    CREATE FUNCTION norm(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_norm(t); END';
    CREATE TABLE t (x text); CREATE INDEX by_norm ON t (norm(x))`);
  const [preData, indexes] = classifyRestore(await dumpSchema(source.address));
  const options = { connect: connecting(target), width: 1, record: async () => undefined };
  if (preData) await restoreStage({ ...options, stage: preData });
  await target.exec("INSERT INTO t VALUES ('A')");
  if (indexes === undefined) throw new Error('no stage of indexes');
  await expect(restoreStage({ ...options, stage: indexes })).rejects.toMatchObject({
    message: expect.stringContaining('by_norm'),
    hint: expect.stringContaining('SET search_path'),
  });
});

test('giving up cancels what runs on the server', async ({ target }) => {
  const statement: SchemaStatement = {
    n: 0,
    section: 'post-data',
    kind: 'INDEX',
    name: 'slow',
    sql: 'SELECT pg_sleep(600)',
  };
  const abort = new AbortController();
  const task = { statement, cost: 0, isCheap: false, excludes: [] };
  const running = restoreStage({
    stage: { name: 'indexes', mode: 'parallel', tasks: [task, task] },
    connect: connecting(target),
    width: 2,
    record: async () => undefined,
    signal: abort.signal,
  });
  await expect
    .poll(() =>
      target.rows(
        "SELECT FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND state = 'active' AND datname = current_database()",
      ),
    )
    .toHaveLength(2);
  abort.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

test('giving up while a session is being opened begins nothing in it', async ({ target }) => {
  const statement: SchemaStatement = {
    n: 0,
    section: 'post-data',
    kind: 'INDEX',
    name: 'slow',
    sql: 'CREATE TABLE public.begun ()',
  };
  const abort = new AbortController();
  const running = restoreStage({
    stage: {
      name: 'indexes',
      mode: 'parallel',
      tasks: [{ statement, cost: 0, isCheap: false, excludes: [] }],
    },
    connect: async () => {
      abort.abort(new Error('enough'));
      return connecting(target)();
    },
    width: 1,
    record: async () => undefined,
    signal: abort.signal,
  });
  await expect(running).rejects.toThrow('enough');
  expect(await target.rows("SELECT FROM pg_class WHERE relname = 'begun'")).toEqual([]);
});

test('a lock that passes is waited for, more than once', async ({ target }) => {
  await target.exec('CREATE TABLE t (x int)');
  await using holder = await Connection.open(target.address, { purpose: 'test holder' });
  await holder.script(sql`BEGIN; LOCK TABLE public.t`);
  const statement: SchemaStatement = {
    n: 0,
    section: 'post-data',
    kind: 'INDEX',
    name: 'i',
    sql: 'CREATE INDEX i ON "public"."t" (x)',
  };
  let attempts = 0;
  const restoring = restoreStage({
    stage: {
      name: 'indexes',
      mode: 'parallel',
      tasks: [{ statement, cost: 0, isCheap: false, excludes: [] }],
    },
    connect: connecting(target),
    width: 1,
    record: async () => undefined,
    tuning: { lockTimeoutMs: 200 },
  });
  // The second attempt is seen as a later start of the same statement.
  await expect
    .poll(async () => {
      const rows = await target.rows<{ start: string }>(
        "SELECT query_start::text AS start FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      if (rows.length > 0) attempts += 1;
      return attempts;
    })
    .toBeGreaterThan(0);
  await holder.script(sql`ROLLBACK`);
  await restoring;
  expect(await target.rows("SELECT FROM pg_class WHERE relname = 'i'")).toHaveLength(1);
});

test('each statement has its memory and its workers, the last one those that would be idle, and progress is counted', async ({
  target,
}) => {
  const statements: SchemaStatement[] = [1, 2, 3].map((n) => ({
    n,
    section: 'post-data',
    kind: 'INDEX',
    name: `i${n}`,
    sql: `CREATE TABLE public.t${n} AS
      SELECT current_setting('maintenance_work_mem') AS m, current_setting('max_parallel_maintenance_workers') AS w`,
  }));
  const seen: number[] = [];
  await restoreStage({
    stage: {
      name: 'indexes',
      mode: 'parallel',
      tasks: statements.map((statement) => ({ statement, cost: 1, isCheap: false, excludes: [] })),
    },
    connect: connecting(target),
    width: 2,
    record: async () => undefined,
    onProgress: ({ done, total }) => {
      expect(total).toBe(3);
      seen.push(done);
    },
    tuning: {
      build: ({ statement }, helpers) => ({
        maintenanceMegabytes: statement.n + 6,
        parallelWorkers: helpers,
      }),
    },
  });
  expect(Math.max(...seen)).toBe(3);
  expect(
    await target.connection.query(
      trusted('SELECT * FROM public.t1 UNION ALL SELECT * FROM public.t2 UNION ALL SELECT * FROM public.t3'),
    ),
  ).toEqual([
    { m: '7MB', w: '0' },
    { m: '8MB', w: '0' },
    { m: '9MB', w: '1' },
  ]);
});
