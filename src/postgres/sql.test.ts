import fc from 'fast-check';
import pg from 'pg';
import { expect, test } from 'vitest';
import { collectGarbage } from '../base/garbage.ts';
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

test('a literal is what node-postgres would write', () => {
  const text = fc.string({ unit: fc.constantFrom("'", '\\', '"', '$1', 'a', 'ä', '\n') });
  fc.assert(
    fc.property(text, (any) => {
      expect(literal(any).text).toBe(pg.escapeLiteral(any));
    }),
  );
});

test('a long literal takes no more memory than its text', () => {
  const text = JSON.stringify(
    Array.from({ length: 20_000 }, (_, i) => ({ schema: 'public', name: `it's_${i}` })),
  );
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const quoted = literal(text);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(3 * text.length);
  expect(quoted.strings[0]?.length).toBeGreaterThan(text.length);
});
