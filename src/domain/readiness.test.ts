import { expect, test } from 'vitest';
import { blocking, type ReadinessFacts, readiness } from './readiness.ts';

const READY: ReadinessFacts = {
  linkRuns: true,
  lagMs: 5,
  longTransactions: [],
  preparedTransactions: [],
  vacuums: [],
  feeds: [],
  unlinked: [],
  from: 'source',
};
const blockers = (change: Partial<ReadinessFacts>) =>
  blocking(readiness({ ...READY, ...change }, { maxLagMs: 1000 })).map((guardrail) => guardrail.id);

test('nothing stands in the way of a quiet system', () => {
  expect(blockers({})).toEqual([]);
});

test.each([
  ['link', { linkRuns: false, lagMs: undefined }],
  ['lag', { lagMs: 1001 }],
  ['lag', { lagMs: undefined }],
  [
    'long-transactions',
    { longTransactions: [{ pid: 7, user: 'u', state: 'active', ageMs: 5000, query: 'x' }] },
  ],
  ['prepared-transactions', { preparedTransactions: ['gid'] }],
  ['feeds', { feeds: ['sub on the source'] }],
  ['tables', { unlinked: ['public.t'] }],
] as const)('%s blocks, with a hint', (id, change) => {
  expect(blockers(change)).toEqual([id]);
  const [guardrail] = blocking(readiness({ ...READY, ...change }, { maxLagMs: 1000 }));
  expect(guardrail?.hint).not.toBe('');
});

test('a running vacuum is told, and does not block', () => {
  expect(blockers({ vacuums: ['public.orders'] })).toEqual([]);
});
