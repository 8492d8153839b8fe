import { describe, expect, test } from 'vitest';
import { isComparisonDue, type SchemaChange, schemaChangeText } from './schema-change.ts';

const CHANGE: SchemaChange = {
  side: 'source',
  fingerprint: 'ab',
  changes: 'columns: public.orders.note added',
  statements: [],
  statementCount: 0,
};
const BY_APP = {
  at: '2026-11-29T02:13:11.482Z',
  command: 'ALTER TABLE',
  object: 'public.orders',
  role: 'app',
};

test('what changed, and who ran what where that was seen', () => {
  const told = 'The schema of the source changed since the sync: columns: public.orders.note added';
  expect(schemaChangeText(CHANGE)).toBe(told);
  const grant = { ...BY_APP, command: 'GRANT', object: '' };
  expect(schemaChangeText({ ...CHANGE, statements: [grant, BY_APP], statementCount: 9 })).toBe(
    `${told} (7 statements before; GRANT by app at 2026-11-29 02:13:11 UTC; ALTER TABLE public.orders by app at 2026-11-29 02:13:11 UTC)`,
  );
});

describe('a comparison is due', () => {
  const last = { endedMs: 1000, tookMs: 100 };
  const slow = { endedMs: 1000, tookMs: 5000 };

  test.each([
    ['when there was none', undefined, false, 0, true],
    ['every minute', last, false, 61_000, true],
    ['not before', last, false, 60_999, false],
    ['when DDL was noted, a tenth of the time at most', last, true, 2000, true],
    ['not sooner', last, true, 1999, false],
    ['of a large schema, a hundredth of the time', slow, false, 501_000, true],
    ['not more often', slow, false, 500_999, false],
    ['of a large schema when DDL was noted', slow, true, 51_000, true],
  ] as const)('%s', (_, before, isWoken, nowMs, isDue) => {
    expect(isComparisonDue(before, isWoken, nowMs)).toBe(isDue);
  });
});
