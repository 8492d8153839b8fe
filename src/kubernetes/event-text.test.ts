import { expect, test } from 'vitest';
import type { MigrationEvent } from '../domain/event.ts';
import { eventText } from './event-text.ts';

const at = '2026-01-01T00:00:00.000Z';
const summary = {
  ...{ direction: 'cutover', from: 'source', to: 'target', epoch: 1, pauseMs: 40, steps: [], sequences: 0 },
  ...{ drainedLsn: '0/1' },
  waits: {
    ...{ heldRequests: 3, longestWaitMs: 41.6, p50Ms: 1, p95Ms: 2, p99Ms: 3, failedRequests: 0 },
    sessionsMoved: 1,
  },
};

test.each<[string, string, string, MigrationEvent]>([
  [
    'Normal',
    'Following',
    'it was syncing',
    { type: 'phase-changed', at, data: { from: 'syncing', to: 'following' } },
  ],
  [
    'Normal',
    'CutoverFinished',
    'longest wait was 42 ms',
    { type: 'switchover-finished', at, data: summary } as never,
  ],
  [
    'Warning',
    'WalNearLimit',
    'keeps 15 GB',
    { type: 'warning', at, data: { code: 'wal_near_limit', message: 'Slot s keeps 15 GB' } },
  ],
  [
    'Warning',
    'Differences',
    'public.carts',
    {
      type: 'verification-finished',
      at,
      data: {
        mode: 'online',
        equal: false,
        tables: [
          { table: 'public.carts', equal: false, sourceRows: 1, targetRows: 2, fingerprint: '', ms: 1 },
          { table: 'public.orders', equal: true, sourceRows: 1, targetRows: 1, fingerprint: '', ms: 1 },
        ],
        sequencesEqual: true,
        seconds: 1,
      },
    },
  ],
])('%s %s', (type, reason, part, event) => {
  expect(eventText(event)).toMatchObject({ type, reason, message: expect.stringContaining(part) });
});

test('samples and steps are not for the cluster', () => {
  const step = { step: 'subscribe', title: 'Subscribe', outcome: 'changed', ms: 3 } as const;
  expect(eventText({ type: 'step-finished', at, data: step })).toBeUndefined();
});

test('a message is no longer than the API server takes', () => {
  const data = { code: 'x', message: 'y'.repeat(5000) };
  expect(eventText({ type: 'warning', at, data })?.message).toHaveLength(1024);
  // It counts bytes.
  const wide = { code: 'x', message: `y${'ü'.repeat(5000)}` };
  const cut = eventText({ type: 'warning', at, data: wide })?.message ?? '';
  expect(cut).toBe(`y${'ü'.repeat(511)}`);
});
