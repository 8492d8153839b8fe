import { expect, test } from 'vitest';
import { classifyRestore } from './classify-restore.ts';
import type { SchemaStatement } from './statement.ts';

let n = 0;
const statement = (kind: string, sql: string, table?: string): SchemaStatement => ({
  n: n++,
  section: table === undefined && kind === 'TABLE' ? 'pre-data' : 'post-data',
  kind,
  name: kind,
  sql,
  ...(table === undefined ? {} : { table }),
});
const SMALL = '"s"."small"';
const BIG = '"s"."big"';
const index = (name: string, table: string, method = 'btree') =>
  statement('INDEX', `CREATE INDEX "${name}" ON ${table} USING "${method}" ("a");`, table);

const stagesOf = (statements: SchemaStatement[], bytes: [string, number][] = []) =>
  Object.fromEntries(classifyRestore(statements, new Map(bytes)).map((stage) => [stage.name, stage]));

test('stages come in the order in which each may rely on those before', () => {
  expect(classifyRestore([]).map((stage) => stage.name)).toEqual([
    'pre-data',
    'indexes',
    'keys',
    'attach',
    'foreign-keys',
    'validate',
    'rest',
  ]);
});

test('the dearest index is first: by the size of its table and its kind', () => {
  const statements = [index('i1', SMALL), index('i2', BIG), index('i3', SMALL, 'gin')];
  const { indexes } = stagesOf(statements, [
    [SMALL, 10],
    [BIG, 25],
  ]);
  expect(indexes?.tasks.map((task) => task.cost)).toEqual([30, 25, 10]);
});

test('indexes share their table; a foreign key wants both of its tables alone', () => {
  const fk = statement(
    'FK CONSTRAINT',
    `ALTER TABLE ONLY ${SMALL}\n    ADD CONSTRAINT "f" FOREIGN KEY ("a") REFERENCES ${BIG}("b") NOT VALID;`,
    SMALL,
  );
  const stages = stagesOf([index('i', SMALL), fk]);
  expect(stages.indexes?.tasks[0]?.excludes).toEqual([]);
  expect(stages['foreign-keys']?.tasks[0]?.excludes).toEqual([SMALL, BIG]);
});

test('what stands on a view that needs a primary key waits for that view', () => {
  const view = statement('MATERIALIZED VIEW', 'CREATE MATERIALIZED VIEW "s"."late" AS SELECT 1;');
  const late = index('i', '"s"."late"');
  const { indexes, rest } = stagesOf([view, late]);
  expect(indexes?.tasks).toEqual([]);
  expect(rest?.tasks.map((task) => task.statement)).toEqual([view, late]);
});

test('triggers, policies, grants and the like keep the order of the dump', () => {
  const kinds = ['STATISTICS', 'RULE', 'TRIGGER', 'POLICY', 'ACL', 'MATERIALIZED VIEW DATA', 'EVENT TRIGGER'];
  const { rest } = stagesOf(kinds.map((kind) => statement(kind, 'x')));
  expect(rest?.mode).toBe('serial');
  expect(rest?.tasks.map((task) => task.statement.kind)).toEqual(kinds);
});
