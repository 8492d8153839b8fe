import { expect, test } from 'vitest';
import { splitKeys } from './split-keys.ts';
import type { SchemaStatement } from './statement.ts';

const TABLE = '"s"."t"';
const post = (kind: string, sql: string): SchemaStatement => ({
  n: 0,
  section: 'post-data',
  kind,
  schema: 's',
  name: 't x',
  table: TABLE,
  sql,
});
const constraint = (text: string) =>
  post('CONSTRAINT', `ALTER TABLE ONLY ${TABLE}\n    ADD CONSTRAINT ${text}`);
const sqlOf = (...statements: SchemaStatement[]) => splitKeys(statements).map(({ kind, sql }) => [kind, sql]);

test('a key is built as an index first, with all its options, and keeps what follows it', () => {
  const key = constraint(
    '"k, (""1"") x" UNIQUE NULLS NOT DISTINCT ("a""(", "b") INCLUDE ("c") WITH (fillfactor=\'70\');\n\nALTER TABLE "s"."t" CLUSTER ON "k, (""1"") x";',
  );
  expect(sqlOf(key)).toEqual([
    [
      'INDEX',
      'CREATE UNIQUE INDEX "k, (""1"") x" ON "s"."t" USING btree ("a""(", "b") INCLUDE ("c") NULLS NOT DISTINCT WITH (fillfactor=\'70\');',
    ],
    [
      'CONSTRAINT',
      'ALTER TABLE ONLY "s"."t"\n    ADD CONSTRAINT "k, (""1"") x" UNIQUE USING INDEX "k, (""1"") x";\n\nALTER TABLE "s"."t" CLUSTER ON "k, (""1"") x";',
    ],
  ]);
});

test('a tablespace goes with the index', () => {
  const key = post(
    'CONSTRAINT',
    `SET LOCAL default_tablespace = "fast";\nALTER TABLE ONLY ${TABLE}\n    ADD CONSTRAINT "k" PRIMARY KEY ("a");`,
  );
  expect(sqlOf(key).map(([, sql]) => sql?.includes('"fast"'))).toEqual([true, false]);
});

test.each([
  '"k" UNIQUE ("a") DEFERRABLE INITIALLY DEFERRED;',
  '"k" EXCLUDE USING "gist" ("a" WITH &&);',
  '"k" PRIMARY KEY ("a", "b" WITHOUT OVERLAPS);',
])('stays whole: %s', (text) => {
  expect(splitKeys([constraint(text)])).toEqual([{ ...constraint(text), n: 0 }]);
});

test('a foreign key is added unvalidated and validated apart, unless it was never valid', () => {
  const definition = '"f" FOREIGN KEY ("a", "b;") REFERENCES "s"."u"("c", "d") ON DELETE CASCADE DEFERRABLE';
  const fk = (text: string) =>
    post('FK CONSTRAINT', `ALTER TABLE ONLY ${TABLE}\n    ADD CONSTRAINT ${text};`);
  expect(sqlOf(fk(definition))).toEqual([
    ['FK CONSTRAINT', `ALTER TABLE ONLY ${TABLE}\n    ADD CONSTRAINT ${definition} NOT VALID;`],
    ['VALIDATE', `ALTER TABLE ONLY ${TABLE} VALIDATE CONSTRAINT "f";`],
  ]);
  expect(splitKeys([fk(`${definition} NOT VALID`)])).toHaveLength(1);
});

test('nothing of a partition root is split', () => {
  const root: SchemaStatement = {
    n: 0,
    section: 'pre-data',
    kind: 'TABLE',
    name: 't',
    sql: `CREATE TABLE ${TABLE} (\n    "a" integer\n)\nPARTITION BY RANGE ("a");`,
  };
  expect(splitKeys([root, constraint('"k" PRIMARY KEY ("a");')])).toHaveLength(2);
});

test('numbers are given anew, in order', () => {
  const numbers = splitKeys([constraint('"k" PRIMARY KEY ("a");'), post('INDEX', 'CREATE INDEX')]).map(
    ({ n }) => n,
  );
  expect(numbers).toEqual([0, 1, 2]);
});
