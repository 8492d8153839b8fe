import { expect, test } from 'vitest';
import { statementsOfNew, unknownStatements } from './new-statements.ts';
import type { SchemaStatement } from './statement.ts';

const post = ['INDEX', 'CONSTRAINT', 'INDEX ATTACH', 'FK CONSTRAINT'];
const statement = (kind: string, name: string, sql: string, table?: string): SchemaStatement => ({
  n: 0,
  section: post.includes(kind) ? 'post-data' : 'pre-data',
  kind,
  schema: 's',
  name,
  sql,
  ...(table === undefined ? {} : { table }),
});
const names = (statements: readonly SchemaStatement[]) =>
  statements.map(({ kind, name, section }) => `${section} ${kind} ${name}`);

test('what an earlier dump had under its name is not new, whatever it says now', () => {
  const known = [statement('TABLE', 'a', 'CREATE TABLE "s"."a" ();')];
  const dumped = [
    statement('TABLE', 'a', 'CREATE TABLE "s"."a" (b int);'),
    statement('TABLE', 'b', 'CREATE TABLE "s"."b" ();'),
  ];
  expect(names(unknownStatements(dumped, known, []))).toEqual(['pre-data TABLE b']);
});

test('a table that was known, and is missing on the target, comes again with all that belongs to it', () => {
  const dumped = [
    statement('TABLE', 'a', 'CREATE TABLE "s"."a" ();'),
    statement('INDEX', 'i', 'CREATE INDEX "i" ON "s"."a" ("x");', '"s"."a"'),
    statement('TABLE', 'b', 'CREATE TABLE "s"."b" ();'),
  ];
  const again = { schema: 's', name: 'a', isLatePartition: false };
  const unknown = unknownStatements(dumped, dumped, [again]);
  expect(names(statementsOfNew(unknown, [again], []))).toEqual(['pre-data TABLE a', 'post-data INDEX i']);
});

test('a late partition has its own indexes before it is attached; others are none of its business', () => {
  const leaf = { schema: 's', name: 'log_2', isLatePartition: true };
  const unknown = [
    statement('TABLE', 'log_2', 'CREATE TABLE "s"."log_2" ();'),
    statement('TABLE', 'log_22', 'CREATE TABLE "s"."log_22" ();'),
    statement('TABLE ATTACH', 'log_2', 'ALTER TABLE ONLY "s"."log" ATTACH PARTITION "s"."log_2" DEFAULT;'),
    statement('INDEX', 'own', 'CREATE INDEX "own" ON "s"."log_2" ("a");', '"s"."log_2"'),
    statement('INDEX', 'else', 'CREATE INDEX "else" ON "s"."log" ("a");', '"s"."log"'),
    statement('INDEX ATTACH', 'own', 'ALTER INDEX "s"."log_a" ATTACH PARTITION "s"."own";'),
  ];
  expect(names(statementsOfNew(unknown, [leaf], []))).toEqual([
    'pre-data TABLE log_2',
    'pre-data INDEX own',
    'pre-data TABLE ATTACH log_2',
  ]);
});

test('a new tree keeps the order of the dump; what it needs comes with its owner', () => {
  const relations = ['tree', 'leaf'].map((name) => ({ schema: 's', name, isLatePartition: false }));
  const mood = statement(
    'TYPE',
    'mood',
    'CREATE TYPE "s"."mood" AS ENUM ();\nALTER TYPE "s"."mood" OWNER TO "x";',
  );
  const unknown = [
    mood,
    statement('TYPE', 'other', 'CREATE TYPE "s"."other" AS ENUM ();'),
    statement('ACL', 'TYPE mood', 'GRANT ALL ON TYPE "s"."mood" TO "y";'),
    statement('TABLE', 'tree', 'CREATE TABLE "s"."tree" ("m" "s"."mood");'),
    statement('TABLE', 'leaf', 'CREATE TABLE "s"."leaf" ("m" "s"."mood");'),
    statement('TABLE ATTACH', 'leaf', 'ALTER TABLE ONLY "s"."tree" ATTACH PARTITION "s"."leaf" DEFAULT;'),
    statement('INDEX', 'ti', 'CREATE INDEX "ti" ON ONLY "s"."tree" ("m");', '"s"."tree"'),
    statement('INDEX', 'li', 'CREATE INDEX "li" ON "s"."leaf" ("m");', '"s"."leaf"'),
    statement('INDEX ATTACH', 'li', 'ALTER INDEX "s"."ti" ATTACH PARTITION "s"."li";'),
  ];
  expect(names(statementsOfNew(unknown, relations, [mood]))).toEqual([
    'pre-data TYPE mood',
    'pre-data ACL TYPE mood',
    'pre-data TABLE tree',
    'pre-data TABLE leaf',
    'pre-data TABLE ATTACH leaf',
    'post-data INDEX ti',
    'post-data INDEX li',
    'post-data INDEX ATTACH li',
  ]);
});
