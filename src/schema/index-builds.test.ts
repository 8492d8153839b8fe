import { expect, test } from 'vitest';
import { indexTuning } from './index-builds.ts';
import type { RestoreTuning } from './restore-stage.ts';

const GB = 1024 ** 3;

/** Quoted as pg_dump does with --quote-all-identifiers; splitKeys does not. */
const BTREE = 'CREATE INDEX "i" ON "public"."t" USING "btree" ("x");';

/** Of a statement on a table of so many bytes, when there are enough others. */
function megabytes(sql: string, cost: number) {
  return build(sql, cost, indexTuning(9, 2))?.maintenanceMegabytes;
}

function build(sql: string, cost: number, tuning: RestoreTuning, isLast = false) {
  const statement = { n: 0, section: 'post-data' as const, kind: 'INDEX', name: 'i', sql };
  return tuning.build?.({ statement, cost, isCheap: false, excludes: [] }, isLast);
}

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

test('few builds have parallel workers, each with memory of its own', () => {
  expect(build(BTREE, GB, indexTuning(1, 2))).toEqual({ workers: 2, maintenanceMegabytes: 96 });
  expect(build(BTREE, GB, indexTuning(2, 2))).toEqual({ workers: 0, maintenanceMegabytes: 32 });
});

test('the last build has as many workers as there will be idle jobs', () => {
  const last = (jobs: number) => build(BTREE, GB, indexTuning(9, jobs), true)?.workers;
  expect([1, 2, 3, 8].map(last)).toEqual([0, 1, 2, 2]);
});
