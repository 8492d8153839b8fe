import { describe, expect, test } from 'vitest';
import { cstring, frame, int16, int32 } from '../wire/bytes.ts';
import { bind, execute, parse, query, sync } from '../wire/frontend.ts';
import { isSequenceQuestion, sequenceQuestion } from './sequence-question.ts';

test.each([
  'SELECT LASTVAL()',
  'select lastval();',
  ' SELECT pg_catalog.lastval( ) AS "id" ',
  "SELECT CURRVAL('orders_id_seq')",
  `SELECT currval('"Order_id_seq"'::regclass) id`,
  'SELECT CURRVAL($1)',
  'SELECT currval($1::regclass)::int AS last',
  "SELECT CURRVAL(pg_get_serial_sequence('\"orders\"', 'id'))",
  'select currval(pg_get_serial_sequence($1,$2))',
])('asks for a value that was drawn: %s', (text) => {
  expect(isSequenceQuestion(text)).toBe(true);
});

test.each([
  '',
  'SELECT nextval($1)',
  "SELECT setval('s', lastval())",
  'SELECT lastval(), nextval($1)',
  'SELECT lastval(); DELETE FROM orders',
  'SELECT lastval() FROM orders',
  'SELECT lastval() INTO kept',
  'SELECT lastval() FOR UPDATE',
  'SELECT app.lastval()',
  "SELECT currval('s') + 1",
  "SELECT currval('it''s')",
  'INSERT INTO items (order_id) VALUES (lastval())',
  'BEGIN',
])('is another request: %s', (text) => {
  expect(isSequenceQuestion(text)).toBe(false);
});

const QUESTION = 'SELECT currval($1)';
const definition = Buffer.concat([cstring(QUESTION), int16(0)]);
const nothing = { unnamed: undefined, definitionOf: () => undefined };
const knowing = {
  unnamed: definition,
  definitionOf: (name: string) => (name === 'asks' ? definition : undefined),
};
const describePortal = frame('D', cstring('P'));
const flush = frame('H');

describe('a request', () => {
  test.each<[string, Buffer[], typeof knowing | typeof nothing]>([
    ['a Query', [query('SELECT lastval()')], nothing],
    [
      'what libpq sends for parameters',
      [parse('', QUESTION), bind('', ['s']), describePortal, execute(), sync()],
      nothing,
    ],
    ['a named statement', [bind('asks', ['s']), execute(), sync()], knowing],
    ['the unnamed statement again', [bind('', ['s']), execute(), sync()], knowing],
  ])('in %s is seen when it is whole, and not before', (_, messages, statements) => {
    const bytes = Buffer.concat(messages);
    const behind = Buffer.concat([bytes, query('DELETE FROM orders')]);
    expect(sequenceQuestion(bytes, statements)).toMatchObject({ bytes: bytes.length });
    expect(sequenceQuestion(behind, statements)).toMatchObject({ bytes: bytes.length });
    for (let size = 0; size < bytes.length; size++)
      expect(sequenceQuestion(bytes.subarray(0, size), statements)).toBe('unfinished');
  });

  test.each<[string, Buffer[]]>([
    ['another Query', [query('SELECT 1')]],
    ['a Sync', [sync()]],
    ['a named Parse', [parse('kept', QUESTION), bind('kept', ['s']), execute(), sync()]],
    [
      'two questions, the second of which is none',
      [parse('', QUESTION), bind('', ['s']), execute(), parse('', 'DELETE FROM orders')],
    ],
    ['a statement that nobody knows', [bind('other', ['s']), execute(), sync()]],
    ['an Execute of who knows what', [parse('', QUESTION), execute(), sync()]],
    ['a Query behind a Parse', [parse('', QUESTION), query('SELECT lastval()')]],
    ['a Flush', [parse('', QUESTION), flush]],
    ['a large one', [query(`SELECT currval('${'x'.repeat(5000)}')`)]],
    ['a header that says nonsense', [Buffer.concat([Buffer.from('Q'), int32(3)])]],
    ['a text without an end', [frame('Q', Buffer.from('SELECT lastval()'))]],
  ])('with %s is another', (_, messages) => {
    expect(sequenceQuestion(Buffer.concat(messages), knowing)).toBe('another');
  });
});

test.each([
  ['a statement that asks nothing', frame('D', cstring('Ss2')), 'another'],
  ['a portal of before', describePortal, 'another'],
  ['a statement that asks', frame('D', cstring('Sasks')), 'unfinished'],
] as const)(
  'to describe %s is judged at once: who waits for its answer sends nothing more',
  (_, message, is) => {
    expect(sequenceQuestion(message, knowing)).toBe(is);
  },
);
