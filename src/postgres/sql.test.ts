import { expect, test } from 'vitest';
import { ident, list, literal, sql, trusted } from './sql.ts';

test('binds values and numbers them across spliced fragments', () => {
  const where = sql`b = ${2} AND c = ${'x'}`;
  const statement = sql`SELECT ${1} FROM t WHERE ${where} LIMIT ${3}`;
  expect(statement.text).toBe('SELECT $1 FROM t WHERE b = $2 AND c = $3 LIMIT $4');
  expect(statement.values).toEqual([1, 2, 'x', 3]);
});

test('a plain string is always a value, never text', () => {
  const statement = sql`SELECT ${'1; DROP TABLE t'}`;
  expect(statement.text).toBe('SELECT $1');
  expect(statement.values).toEqual(['1; DROP TABLE t']);
});

test('quotes identifiers and literals whatever they hold', () => {
  expect(ident('a"b', 'c.d').text).toBe('"a""b"."c.d"');
  expect(literal("it's").text).toBe("'it''s'");
  expect(literal('back\\slash').text).toBe(" E'back\\\\slash'");
});

test('joins fragments with a separator of ours', () => {
  const joined = list([sql`a = ${1}`, trusted('b'), sql`c = ${2}`], ' AND ');
  expect(joined.text).toBe('a = $1 AND b AND c = $2');
  expect(joined.values).toEqual([1, 2]);
  expect(list([]).text).toBe('');
});
