import { expect, test } from 'vitest';
import { indexTuning } from './index-builds.ts';

const GB = 1024 ** 3;

/** Quoted as pg_dump does with --quote-all-identifiers; splitKeys does not. */
const BTREE = 'CREATE INDEX "i" ON "public"."t" USING "btree" ("x");';

/** Of a statement on a table of so many bytes, when there are enough others. */
function megabytes(sql: string, cost: number, tuning = indexTuning(9, 2)) {
  const statement = { n: 0, section: 'post-data' as const, kind: 'INDEX', name: 'i', sql };
  return tuning.maintenanceMegabytes?.({ statement, cost, isCheap: false, excludes: [] });
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
  const few = indexTuning(1, 2);
  expect(few.maxParallelMaintenanceWorkers).toBe(2);
  expect(megabytes(BTREE, GB, few)).toBe(96);
  expect(indexTuning(2, 2).maxParallelMaintenanceWorkers).toBe(0);
});
