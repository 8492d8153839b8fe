import { expect, test } from 'vitest';
import { switchoverSummary } from '../../test/fixtures/switchover-summary.ts';
import type { MigrationEvent, SwitchoverDirection } from './event.ts';
import { differsSinceSwitch, lastVerification, trustIn } from './last-verification.ts';

const verified = {
  type: 'verification-finished',
  at: '2026-01-01T00:00:00.000Z',
  data: { mode: 'online', equal: true, tables: [], sequencesEqual: undefined, seconds: 1 },
} as const satisfies MigrationEvent;
const warned = (code: string): MigrationEvent => ({
  type: 'warning',
  at: verified.at,
  data: { code, message: '' },
});

test('the last one counts', () => {
  const later = { ...verified, at: '2026-01-02T00:00:00.000Z' };
  expect(lastVerification([verified, later, warned('wal_near_limit')])).toBe(later);
  expect(lastVerification([])).toBeUndefined();
});

test.each(['copied_anew', 'transaction_skipped'])('none counts that is older than %s', (code) => {
  expect(lastVerification([verified, warned(code)])).toBeUndefined();
  expect(lastVerification([verified, warned(code), verified])).toBe(verified);
});

test('none counts that is older than a copy: a table that joined has not been compared', () => {
  const copied: MigrationEvent = {
    type: 'copy-finished',
    at: verified.at,
    data: { tables: 1, rows: 0, bytes: 0, seconds: 0 },
  };
  expect(lastVerification([verified, copied])).toBeUndefined();
  expect(lastVerification([copied, verified])).toBe(verified);
});

test('none counts that is older than a switch: its own comparison was not finished', () => {
  const switched = (direction: SwitchoverDirection): MigrationEvent => ({
    type: 'switchover-finished',
    at: verified.at,
    data: switchoverSummary(direction),
  });
  expect(lastVerification([verified, switched('cutover')])).toBeUndefined();
  expect(lastVerification([switched('cutover'), verified])).toBe(verified);
  expect(lastVerification([verified, switched('rehearsal')])).toBe(verified);
});

test.each([
  ['never', undefined],
  ['differences', { at: verified.at, equal: false }],
  ['fresh', { at: verified.at, equal: true }],
  ['stale', { at: '2025-12-31T23:59:59.999Z', equal: true }],
  ['stale', { at: '2030-01-01T00:00:00.000Z', equal: true }],
] as const)('%s', (trust, last) => {
  const hourMs = 3_600_000;
  expect(trustIn(last, Date.parse(verified.at) + hourMs, hourMs)).toBe(trust);
});

test('a way back is stopped by differences that were found since the switch, not by those of the switch itself', () => {
  const switched = { type: 'switchover-finished', data: { direction: 'cutover' } } as MigrationEvent;
  const differs = { ...verified, data: { ...verified.data, equal: false } };
  const pinned = { ...differs, data: { ...differs.data, mode: 'pinned' as const } };
  expect(differsSinceSwitch([switched, pinned, differs])).toBe(true);
  for (const events of [[], [differs, switched], [switched, pinned], [switched, differs, verified]])
    expect(differsSinceSwitch(events)).toBe(false);
});
