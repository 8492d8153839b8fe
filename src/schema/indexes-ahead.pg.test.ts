import { expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { sql } from '../postgres/sql.ts';
import { classifyRestore, type RestoreStage } from './classify-restore.ts';
import { dumpSchema } from './dump-schema.ts';
import { IndexesAhead } from './indexes-ahead.ts';
import { planTables } from './plan-tables.ts';
import { restoreStage } from './restore-stage.ts';
import type { SchemaStatement } from './statement.ts';

const MB = 1024 * 1024;

/** Tables without indexes on the target, and what builds them. Sizes are given: rows are not needed. */
async function bed(source: Database, target: Database, sizes: Readonly<Record<string, number>>) {
  const statements = await dumpSchema(source.address);
  const stages = classifyRestore(statements, new Map(Object.entries(sizes)));
  const connect = () => Connection.open(target.address, { purpose: 'test ahead' });
  const recorded: string[] = [];
  const record = async (_: Connection, done: readonly SchemaStatement[]) => {
    recorded.push(...done.map(({ name }) => name));
  };
  const [preData] = stages;
  if (preData !== undefined) await restoreStage({ stage: preData, connect, width: 1, record });
  recorded.length = 0;
  const { tables } = await planTables(source.connection);
  const table = (name: string) => {
    const found = tables.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(name);
    return found;
  };
  const stage = stages.find(({ name }) => name === 'indexes') as RestoreStage;
  return { recorded, table, options: { stage, connect, width: 2, record } };
}

/** `begun`: helpers of each build, in the order of their begin. */
function noteHelpers() {
  const begun: number[] = [];
  const build = (_: unknown, helpers: number) => {
    begun.push(helpers);
    return { maintenanceMegabytes: 64, parallelWorkers: helpers };
  };
  return { begun, tuning: { build } };
}

const indexNames = async (target: Database) =>
  (
    await target.rows<{ n: string }>(
      `SELECT indexname AS n FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`,
    )
  ).map(({ n }) => n);

test('builds what belongs to a large copied table, its key’s index too, and leaves the others', async ({
  source,
  target,
}) => {
  await source.exec(`CREATE TABLE large (id int PRIMARY KEY, x int); CREATE INDEX large_x ON large (x);
    CREATE TABLE small (id int PRIMARY KEY); CREATE TABLE later (id int PRIMARY KEY);
    CREATE TABLE tree (id int, PRIMARY KEY (id)) PARTITION BY HASH (id);
    CREATE TABLE leaf PARTITION OF tree FOR VALUES WITH (MODULUS 1, REMAINDER 0)`);
  const { options, table, recorded } = await bed(source, target, {
    '"public"."large"': 64 * MB,
    '"public"."small"': MB,
    '"public"."later"': 64 * MB,
    '"public"."leaf"': 64 * MB,
  });
  await using ahead = new IndexesAhead(options);
  for (const name of ['large', 'small', 'tree']) ahead.tableCopied(table(name));
  await ahead.finish();
  expect(await indexNames(target)).toEqual(['large_pkey', 'large_x', 'leaf_pkey']);
  expect(recorded.toSorted()).toEqual(['large large_pkey', 'large_x', 'leaf leaf_pkey']);
});

test('the last one of all is helped by the job that has nothing left to do', async ({ source, target }) => {
  await source.exec(`CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE small (id int PRIMARY KEY);
    CREATE TABLE two (id int PRIMARY KEY, x int); CREATE INDEX two_x ON two (x)`);
  const sizes = { '"public"."one"': 64 * MB, '"public"."small"': MB, '"public"."two"': 64 * MB };
  const { options, table } = await bed(source, target, sizes);
  const { begun, tuning } = noteHelpers();
  await using ahead = new IndexesAhead({ ...options, tuning });
  ahead.tableCopied(table('one'));
  await expect.poll(() => indexNames(target)).toEqual(['one_pkey']);
  ahead.tableCopied(table('two'));
  await ahead.finish();
  expect(await indexNames(target)).toEqual(['one_pkey', 'two_pkey', 'two_x']);
  expect(begun).toEqual([0, 0, 1]);
});

test('the one that outlasts all others has a worker, though a table is still being copied', async ({
  source,
  target,
}) => {
  await source.exec('CREATE TABLE largest (id int PRIMARY KEY); CREATE TABLE later (id int PRIMARY KEY)');
  const sizes = { '"public"."largest"': 256 * MB, '"public"."later"': 64 * MB };
  const { options, table } = await bed(source, target, sizes);
  const { begun, tuning } = noteHelpers();
  await using ahead = new IndexesAhead({ ...options, tuning });
  ahead.tableCopied(table('largest'));
  await expect.poll(() => indexNames(target)).toEqual(['largest_pkey']);
  expect(begun).toEqual([1]);
});

test('what it cannot build is left to the stage, which says why', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  const { options, table, recorded } = await bed(source, target, { '"public"."t"': 64 * MB });
  await target.exec('INSERT INTO t VALUES (1), (1)');
  await using ahead = new IndexesAhead(options);
  ahead.tableCopied(table('t'));
  await ahead.finish();
  expect(recorded).toEqual([]);
  await expect(restoreStage(options)).rejects.toMatchObject({ code: 'schema_statement_failed' });
});

test('thrown away, it cancels what it is building', async ({ source, target }) => {
  await source.exec('CREATE TABLE t (id int PRIMARY KEY)');
  const { options, table } = await bed(source, target, { '"public"."t"': 64 * MB });
  await using blocker = await Connection.open(target.address, { purpose: 'test blocker' });
  const blocking = blocker.transaction(async () => {
    await blocker.script(sql`LOCK TABLE public.t`);
    await using ahead = new IndexesAhead(options);
    ahead.tableCopied(table('t'));
    await expect.poll(() => waiting(target)).toBe(1);
  });
  await blocking;
  expect(await waiting(target)).toBe(0);
  expect(await indexNames(target)).toEqual([]);
});

const waiting = async (target: Database) =>
  (
    await target.rows(
      `SELECT FROM pg_stat_activity WHERE application_name ~ 'test ahead' AND wait_event_type = 'Lock' AND datname = current_database()`,
    )
  ).length;
