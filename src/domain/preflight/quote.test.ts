import { expect, test } from 'vitest';
import { quoteName, quoteTable, quoteText } from './quote.ts';

test.each([
  ['orders', 'orders'],
  ['Orders', '"Orders"'],
  ['order', '"order"'],
  ['a"b', '"a""b"'],
  ['1st', '"1st"'],
  ['größe', '"größe"'],
  ['a\nb', '"a\nb"'],
])('a name: %j', (name, quoted) => {
  expect(quoteName(name)).toBe(quoted);
});

test('a table', () => {
  expect(quoteTable({ schema: 'My App', name: 'user' })).toBe('"My App"."user"');
});

test.each([
  ['plain', "'plain'"],
  ["it's", "'it''s'"],
  ['back\\slash', "E'back\\\\slash'"],
])('a text: %j', (text, quoted) => {
  expect(quoteText(text)).toBe(quoted);
});
