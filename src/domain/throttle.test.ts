import { expect, test } from 'vitest';
import { type ThrottleFacts, throttleReason } from './throttle.ts';

const QUIET: ThrottleFacts = {
  throttledSince: undefined,
  flagFileExists: false,
  slowestReplica: undefined,
  activeSessions: undefined,
};
const NO_LIMITS = { flagFile: undefined, maxReplicaLagMs: undefined, maxActiveSessions: undefined };
const lag = (lagMs: number): ThrottleFacts => ({ ...QUIET, slowestReplica: { name: 'standby1', lagMs } });

test('without a reason the copy goes on', () => {
  expect(throttleReason(QUIET, NO_LIMITS)).toBeUndefined();
  expect(
    throttleReason(QUIET, { flagFile: '/run/slow', maxReplicaLagMs: 1000, maxActiveSessions: 1 }),
  ).toBeUndefined();
});

test('asked for by the operator, with the command that ends it', () => {
  const facts = { ...QUIET, throttledSince: '2026-01-02T03:04:05.678Z' };
  expect(throttleReason(facts, NO_LIMITS)).toBe('"pgglide throttle off" (on since 2026-01-02 03:04:05 UTC)');
});

test('a flag file counts only where one is configured', () => {
  const facts = { ...QUIET, flagFileExists: true };
  expect(throttleReason(facts, { ...NO_LIMITS, flagFile: '/run/slow' })).toContain('/run/slow');
  expect(throttleReason(facts, NO_LIMITS)).toBeUndefined();
});

test('a standby further behind than it may be, named with its lag', () => {
  const limits = { ...NO_LIMITS, maxReplicaLagMs: 10_000 };
  expect(throttleReason(lag(10_000), limits)).toBeUndefined();
  expect(throttleReason(lag(12_340), limits)).toBe(
    'standby standby1, 12.3 s behind (throttle.maxReplicaLag: 10 s)',
  );
  expect(throttleReason(lag(12_340), NO_LIMITS)).toBeUndefined();
});

test('more active sessions than the source is to have beside the copy', () => {
  const limits = { ...NO_LIMITS, maxActiveSessions: 16 };
  expect(throttleReason({ ...QUIET, activeSessions: 16 }, limits)).toBeUndefined();
  expect(throttleReason({ ...QUIET, activeSessions: 17 }, limits)).toBe(
    '17 active sessions on the source (throttle.maxActiveSessions: 16)',
  );
});
