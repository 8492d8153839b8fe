import { expect, test } from 'vitest';
import { buildTuning, helpersOf, type Workload } from './index-builds.ts';

const GB = 1024 ** 3;

/** Quoted as pg_dump does with --quote-all-identifiers; splitKeys does not. */
const BTREE = 'CREATE INDEX "i" ON "public"."t" USING "btree" ("x");';

const task = (sql: string, cost: number) => ({
  statement: { n: 0, section: 'post-data' as const, kind: 'INDEX', name: 'i', sql },
  cost,
  isCheap: false,
  excludes: [],
});

/** Of a statement on a table of so many bytes. */
const megabytes = (sql: string, cost: number, helpers = 0) =>
  buildTuning(task(sql, cost), helpers).maintenanceMegabytes;

test('a btree is sorted in small runs, of which one merge can take all', () => {
  const unique = BTREE.replace('INDEX', 'UNIQUE INDEX').replace('"btree"', 'btree');
  const key = 'ALTER TABLE ONLY "public"."t"\n    ADD CONSTRAINT "t_pkey" PRIMARY KEY ("x") DEFERRABLE;';
  for (const sql of [BTREE, unique, `SET LOCAL default_tablespace = 'x';\n${BTREE}`, key])
    expect(megabytes(sql, GB)).toBe(32);
  expect(megabytes(BTREE, 0)).toBe(32);
  expect(megabytes(BTREE, 100 * GB)).toBe(163);
  expect(megabytes(BTREE, 10_000 * GB)).toBe(512);
});

test('what is not sorted has memory for the whole of it', () => {
  const gin = BTREE.replace('btree', 'gin');
  const exclusion = 'ALTER TABLE ONLY "public"."t"\n    ADD CONSTRAINT "e" EXCLUDE USING gist ("x" WITH &&);';
  const foreignKey = 'ALTER TABLE ONLY "public"."t" VALIDATE CONSTRAINT "f";';
  for (const sql of [gin, exclusion, foreignKey]) expect(megabytes(sql, GB)).toBe(512);
});

test('parallel workers have memory of their own', () => {
  expect(buildTuning(task(BTREE, GB), 2)).toEqual({ maintenanceMegabytes: 96, parallelWorkers: 2 });
});

test('a build that outlasts all others has the jobs that would be idle', () => {
  const helpers = (cost: number, load: Partial<Workload>, ...left: number[]) =>
    helpersOf(task(BTREE, cost), {
      jobs: 2,
      running: 1,
      left: left.map((one) => task(BTREE, one)),
      ...load,
    });
  expect(helpers(GB, {})).toBe(1);
  expect(helpers(GB, { running: 2 })).toBe(1);
  expect(helpers(GB, { jobs: 8 })).toBe(7);
  expect(helpers(GB, { jobs: 8, running: 3 })).toBe(5);
  expect(helpers(GB, {}, GB)).toBe(0);
  expect(helpers(GB, { jobs: 4 }, GB / 10, GB / 10)).toBe(1);
  expect(helpers(GB, { jobs: 4 }, GB, GB, GB, GB)).toBe(0);
  expect(helpers(GB, { jobs: 1 })).toBe(0);
});
