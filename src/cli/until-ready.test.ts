import { expect, test } from 'vitest';
import { statusOf } from '../../test/fixtures/migration-status.ts';
import { UnreachableError, UsageError } from '../domain/errors.ts';
import type { MigrationStatus } from '../observers/status.ts';
import { missingFor, untilReady } from './until-ready.ts';

const HOUR_MS = 3_600_000;
const LIMITS = { requireVerified: true, staleAfterMs: HOUR_MS, maxLagMs: 1_000 };

const OLD = { at: '2025-12-31T01:00:00.000Z', equal: true, tables: 3 };
const LAGGING = { ...(statusOf().link as NonNullable<MigrationStatus['link']>), lagMs: 5_000 };

test.each<[string, Partial<MigrationStatus>, string[]]>([
  ['all is there', {}, []],
  ['the copy is under way', { phase: 'syncing', verified: undefined }, ['the copy is under way']],
  ['another phase has its own answer', { phase: 'switched', verified: undefined, traffic: undefined }, []],
  ['nobody has verified', { verified: undefined }, ['not verified']],
  ['the sides differ', { verified: { ...OLD, equal: false } }, ['the last verification found differences']],
  ['it was long ago', { verified: OLD }, ['verified 1d0h ago']],
  ['the link is behind', { link: LAGGING }, ['lag 5 s']],
  ['the proxy is away', { traffic: undefined }, ['the traffic switch does not answer']],
  [
    'something is in the way',
    {
      ready: [
        { name: 'link runs', ok: false },
        { name: 'long transactions', ok: false, detail: '2' },
      ],
    },
    ['the link stands still', '2 long transactions'],
  ],
])('%s', (_, changes, missing) => {
  expect(missingFor(statusOf(changes), LIMITS)).toEqual(missing);
});

test('without the need to verify, nothing is said of it', () => {
  expect(missingFor(statusOf({ verified: undefined }), { ...LIMITS, requireVerified: false })).toEqual([]);
});

/** Looks that answer one after the other, and what is told meanwhile. */
function looks(...answers: (MigrationStatus | Error)[]) {
  const told: string[] = [];
  const look = async () => {
    const answer = answers.shift() ?? new Error('looked too often');
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const { signal } = new AbortController();
  return {
    told,
    wait: () => untilReady({ look, limits: LIMITS, tell: (text) => told.push(text), intervalMs: 1, signal }),
  };
}

test('waits for a server that is away, says each reason once, and ends when nothing is missing', async () => {
  const { told, wait } = looks(
    statusOf({ verified: undefined }),
    statusOf({ verified: undefined }),
    new UnreachableError('server_unreachable', 'pg16 does not answer'),
    statusOf(),
  );
  await wait();
  expect(told).toEqual(['not verified', 'pg16 does not answer']);
});

test('any other error ends the waiting', async () => {
  await expect(looks(new UsageError('bad_config', 'no such key')).wait()).rejects.toThrow('no such key');
});
