import { describe, expect, test } from 'vitest';
import { statusOf } from '../../test/fixtures/migration-status.ts';
import type { MigrationEvent } from '../domain/event.ts';
import { guardrails } from './guardrail.ts';
import { dashboardMetrics } from './metrics.ts';
import { pageState } from './page-state.ts';
import { addSample } from './sample.ts';
import { sentence } from './sentence.ts';
import { afterFailure, afterLook, NOTHING_SEEN } from './snapshot.ts';
import { stages } from './stage.ts';

const LIMITS = { staleAfterMs: 3_600_000, requireVerified: true };
const PAGE = { ...LIMITS, migration: 'shop' };
const step = (type: 'step-started' | 'step-failed', name: string) =>
  ({ type, at: '', data: { step: name, title: name } }) as unknown as MigrationEvent;

describe('stages', () => {
  const shown = (...args: Parameters<typeof stages>) =>
    stages(...args)
      .map(({ state }) => state[0])
      .join('');

  test.each([
    ['new', [], 'wwwwww'],
    ['syncing', [], 'rwwwww'],
    ['syncing', [step('step-started', 'load-schema')], 'rwwwww'],
    ['syncing', [step('step-started', 'copy-tables')], 'drwwww'],
    ['syncing', [step('step-failed', 'copy-tables')], 'dfwwww'],
    ['syncing', [step('step-started', 'build-indexes')], 'ddrwww'],
    ['syncing', [step('step-started', 'catch-up')], 'dddrww'],
    ['following', [step('step-started', 'analyze-target')], 'dddrww'],
    ['switched', [step('step-failed', 'pause-traffic')], 'dddddw'],
    ['completed', [], 'dddddd'],
    ['aborted', [], 'wwwwww'],
  ] as const)('%s', (phase, journal, expected) => {
    expect(shown(phase, journal)).toBe(expected);
  });
});

describe('the sentence', () => {
  test('says where it stands, and not what changes every second', () => {
    const said = sentence(statusOf());
    expect(said).toBe(
      'Following: the source takes the writes, the target has them a moment later. All 3 tables verified equal.',
    );
    expect(sentence(statusOf({ link: { ...linkOf(), lagBytes: 99_999 } }))).toBe(said);
  });

  test('a link that does not run, and differences, are said', () => {
    const status = statusOf({
      phase: 'switched',
      link: { ...linkOf(), isStreaming: false },
      verified: { at: '', equal: false, tables: 3 },
    });
    expect(sentence(status)).toMatch(/16\.14 serves.*does not run\. The verification found differences\.$/);
  });

  const linkOf = () => statusOf().link ?? expect.unreachable();
});

describe('guardrails', () => {
  const named = (status: Parameters<typeof guardrails>[0], limits = LIMITS) =>
    Object.fromEntries(guardrails(status, limits).map(({ name, ok }) => [name, ok]));

  test('are met, or not', () => {
    expect(named(statusOf())).toEqual({
      'link runs': true,
      verified: true,
      'WAL held': true,
      'traffic switch answers': true,
    });
    expect(named(statusOf({ verified: undefined }))).toMatchObject({ verified: false });
    const old = { at: '2025-12-31T00:00:00.000Z', equal: true, tables: 3 };
    expect(named(statusOf({ verified: old }))).toMatchObject({ verified: false });
    expect(named(statusOf({ verified: old }), { ...LIMITS, requireVerified: false })).toMatchObject({
      verified: true,
    });
    const link = { ...statusOf().link, retainedWalBytes: 9000 } as ReturnType<typeof statusOf>['link'];
    expect(named(statusOf({ link }))).toMatchObject({ 'WAL held': false });
  });

  test('there are none while no switch is near', () => {
    expect(guardrails(statusOf({ phase: 'syncing' }), LIMITS)).toEqual([]);
  });
});

describe('samples', () => {
  const at = (atMs: number, total: number, before = [] as ReturnType<typeof addSample>) =>
    addSample(before, statusOf({ requests: { total, failed: 0, heldNow: 1 } }), atMs);

  test('requests become a rate, unless the proxy was started anew or nobody looked for long', () => {
    const two = at(2000, 600, at(1000, 100));
    expect(two.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual([undefined, 500]);
    expect(at(3000, 5, two).at(-1)?.requestsPerSecond).toBeUndefined();
    expect(at(60_000, 900, two).at(-1)?.requestsPerSecond).toBeUndefined();
  });

  test('are kept for ten minutes', () => {
    expect(at(700_000, 3, at(50_000, 2, at(0, 1)))).toHaveLength(1);
  });
});

test('what cannot be seen now is told with its age', () => {
  const seen = afterLook(NOTHING_SEEN, { status: statusOf(), tables: [], journal: [] }, 1000);
  const state = pageState(afterFailure(seen, new Error('away')), PAGE, 5000);
  expect(state).toMatchObject({ ageMs: 4000, problem: 'away', status: { phase: 'following' } });
  expect(pageState(afterFailure(NOTHING_SEEN, 'away'), PAGE, 0).sentence).toBe(
    'The servers cannot be asked.',
  );
});

test('tables that are the same are not sent again', () => {
  const table = { name: 't', bytes: 1, rowCount: 1, fractionCopied: 1, isEqual: undefined };
  const look = (tables: (typeof table)[] | undefined, before = NOTHING_SEEN) =>
    afterLook(before, { status: statusOf(), tables, journal: [] }, 0);
  const first = look([table]);
  expect(first.tablesVersion).toBe(1);
  expect(look([{ ...table }], first).tablesVersion).toBe(1);
  expect(look(undefined, first).tablesVersion).toBe(1);
  expect(look([{ ...table, rowCount: 2 }], first).tablesVersion).toBe(2);
});

test('metrics: one sample a known value, and no line for what is not known', () => {
  const seen = afterLook(NOTHING_SEEN, { status: statusOf(), tables: [], journal: [] }, 1000);
  const text = dashboardMetrics(pageState(seen, PAGE, 1500));
  expect(text).toContain('pgglide_up 1\n');
  expect(text).toContain('pgglide_seen_seconds_ago 0.5\n');
  expect(text).toContain('pgglide_phase{phase="following"} 1\n');
  expect(text).toContain('pgglide_phase{phase="switched"} 0\n');
  expect(text).toContain('pgglide_lag_bytes 2048\n');
  expect(text).not.toContain('undefined');
  const blind = dashboardMetrics(pageState(NOTHING_SEEN, PAGE, 0));
  expect(blind).toContain('pgglide_up 0\n');
  expect(blind).not.toMatch(/^pgglide_lag_bytes \d/m);
});
