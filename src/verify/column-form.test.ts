import { expect, test } from 'vitest';
import { sql } from '../postgres/sql.ts';
import { type ColumnForm, columnForm, hashedTerms, isSeeded, seededHash } from './column-form.ts';
import { string as seededString } from './seeded-hash.ts';

const builtIn = (baseOid: number, baseKind = 'b', type = '') => ({
  baseOid,
  baseKind,
  type,
  isDomain: false,
});
const BIGINT = 20;
const INTEGER = 23;
const NUMERIC = 1700;
const numeric = (type: string) => builtIn(NUMERIC, 'b', type);
const column = (form: ColumnForm) => ({ name: 'a"b', form, isChar: false });

test('a type whose hash is the same for different values goes in as bytes, or with what its hash leaves out', () => {
  expect(columnForm(builtIn(INTEGER), builtIn(INTEGER)).record).toBe('value');
  const bigint = column(columnForm(builtIn(BIGINT), builtIn(BIGINT)));
  expect(hashedTerms(bigint, false).map(String)).toEqual(['int8send(t."a""b")']);
  expect(String(seededHash(bigint, sql`seed`))).toMatch(/^hashint8extended\((coalesce\(.*\)), \1 # seed\)$/);
});

test('a numeric is chained only with the scale that both sides have', () => {
  const isChained = (here: string, there: string) =>
    isSeeded(column(columnForm(numeric(here), numeric(there))), false);
  expect(isChained('numeric(12,2)', 'numeric(12,2)')).toBe(true);
  expect(isChained('numeric(12,2)', 'numeric(12,3)')).toBe(false);
  expect(isChained('numeric', 'numeric')).toBe(false);
  expect(isChained('public.amount', 'public.amount')).toBe(false);
  expect(columnForm(builtIn(1231, 'b', 'numeric(12,2)[]'), builtIn(1231, 'b', 'numeric(12,2)[]'))).toEqual({
    record: 'text',
  });
});

test('enums by label whatever their OIDs; domains over them, and types that differ, as text', () => {
  expect(columnForm(builtIn(16_400, 'e'), builtIn(17_000, 'e'))).toEqual({ record: { send: 'enum_send' } });
  const domain = { ...builtIn(16_400, 'e'), isDomain: true };
  const text = { record: 'text' };
  expect(columnForm(domain, domain)).toEqual(text);
  expect(columnForm(builtIn(INTEGER), builtIn(BIGINT))).toEqual(text);
  expect(columnForm(builtIn(16_500), builtIn(16_500))).toEqual(text);
});

test('strings as their bytes, or as UTF-8 where the encodings differ', () => {
  const string = column({ record: 'string', seeded: seededString });
  expect(hashedTerms(string, false).map(String)).toEqual(['t."a""b" COLLATE "C"']);
  expect(hashedTerms(string, true).map(String)).toEqual(['textsend(t."a""b")']);
  expect([isSeeded(string, false), isSeeded(string, true)]).toEqual([true, false]);
});
