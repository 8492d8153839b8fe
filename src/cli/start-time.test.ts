import { expect, test } from 'vitest';
import { UsageError } from '../domain/errors.ts';
import { momentFlag, untilMoment } from './start-time.ts';

const NOW_MS = Date.parse('2026-11-30T00:00:00Z');

test.each([
  ['2026-11-30T03:00Z', '2026-11-30T03:00:00.000Z'],
  ['2026-11-30 03:00:30Z', '2026-11-30T03:00:30.000Z'],
  ['2026-11-30T04:00+01:00', '2026-11-30T03:00:00.000Z'],
  ['2026-11-29T22:30-05:00', '2026-11-30T03:30:00.000Z'],
])('%s is a moment', (text, iso) => {
  expect(new Date(momentFlag('--at', text, NOW_MS)).toISOString()).toBe(iso);
});

test.each(['2026-11-30T03:00', '03:00', 'tomorrow', '2026-11-30', '2026-13-30T03:00Z', '', 'true'])(
  '"%s" is none, and what one looks like is said',
  (text) => {
    const ask = () => momentFlag('--at', text, NOW_MS);
    expect(ask).toThrow(UsageError);
    expect(ask).toThrow(/time zone/);
  },
);

test('a moment that has passed is refused', () => {
  expect(() => momentFlag('--at', '2026-11-29T23:59Z', NOW_MS)).toThrow(
    '2026-11-29T23:59:00.000Z has passed',
  );
});

test('waits until the moment, and no longer when it is called off', async () => {
  const { signal } = new AbortController();
  const atMs = Date.now() + 30;
  await untilMoment(atMs, signal);
  expect(Date.now()).toBeGreaterThanOrEqual(atMs);
  const calledOff = AbortSignal.abort(new Error('Ctrl-C'));
  await expect(untilMoment(Date.now() + 3_600_000, calledOff)).rejects.toThrow('Ctrl-C');
});
