import { expect, test } from 'vitest';
import { blocking, type LockHolder, type ReadinessFacts, readiness } from './readiness.ts';

const READY: ReadinessFacts = {
  linkRuns: true,
  altered: [],
  hindrances: [],
  lagMs: 5,
  longTransactions: [],
  preparedTransactions: [],
  lockHolders: [],
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
  ['altered', { altered: ['publication p leaves out DELETE'] }],
  ['lag', { lagMs: 1001 }],
  ['lag', { lagMs: undefined }],
  [
    'long-transactions',
    { longTransactions: [{ pid: 7, user: 'u', state: 'active', ageMs: 5000, query: 'x' }] },
  ],
  ['prepared-transactions', { preparedTransactions: ['gid'] }],
  [
    'locks',
    {
      lockHolders: [
        { pid: 7, user: 'u', table: 'public.t', ageMs: 5000, query: 'VACUUM public.t', yields: false },
      ],
    },
  ],
  ['feeds', { feeds: ['sub on the source'] }],
  ['tables', { unlinked: ['public.t'] }],
  ['sessions', { hindrances: ['default_transaction_read_only = on'] }],
] as const)('%s blocks, with a hint', (id, change) => {
  expect(blockers(change)).toEqual([id]);
  const [guardrail] = blocking(readiness({ ...READY, ...change }, { maxLagMs: 1000 }));
  expect(guardrail?.hint).not.toBe('');
});

const HOLDER: LockHolder = {
  pid: 9,
  user: 'autovacuum worker',
  table: 'public.orders',
  ageMs: 90_000,
  query: 'autovacuum: VACUUM public.orders',
  yields: true,
};

test('an autovacuum is told, and does not block', () => {
  const facts = { ...READY, lockHolders: [HOLDER] };
  expect(blockers(facts)).toEqual([]);
  expect(readiness(facts, { maxLagMs: 1000 }).map(({ text }) => text)).toContain(
    'autovacuum of public.orders will yield',
  );
});

test('who holds a lock and is a long transaction is told once', () => {
  const longTransactions = [{ pid: 9, user: 'u', state: 'active', ageMs: 5000, query: 'x' }];
  expect(blockers({ longTransactions, lockHolders: [{ ...HOLDER, yields: false }] })).toEqual([
    'long-transactions',
  ]);
});
