import { expect, test } from 'vitest';
import { columnForm, hashedTerms } from './column-form.ts';

const builtIn = (baseOid: number, baseKind = 'b') => ({ baseOid, baseKind, isDomain: false });
const BIGINT = 20;
const INTEGER = 23;
const NUMERIC = 1700;

test('a type whose hash is the same for different values goes in as bytes', () => {
  expect(columnForm(builtIn(INTEGER), builtIn(INTEGER))).toEqual({ hash: 'hashint4extended', zero: '0' });
  expect(columnForm(builtIn(BIGINT), builtIn(BIGINT))).toEqual({ send: 'int8send' });
  expect(columnForm(builtIn(NUMERIC), builtIn(NUMERIC))).toEqual({ send: 'numeric_send' });
});

test('enums by label whatever their OIDs; domains over them, and types that differ, as text', () => {
  expect(columnForm(builtIn(16_400, 'e'), builtIn(17_000, 'e'))).toEqual({ send: 'enum_send' });
  const domain = { ...builtIn(16_400, 'e'), isDomain: true };
  expect(columnForm(domain, domain)).toBe('text');
  expect(columnForm(builtIn(INTEGER), builtIn(BIGINT))).toBe('text');
  expect(columnForm(builtIn(16_500), builtIn(16_500))).toBe('text');
});

test('strings as their bytes, or as UTF-8 where the encodings differ', () => {
  const column = { name: 'a"b', form: 'string' as const, isChar: false };
  expect(hashedTerms(column, false).map(String)).toEqual(['t."a""b" COLLATE "C"']);
  expect(hashedTerms(column, true).map(String)).toEqual(['textsend(t."a""b")']);
});
