import { describe, expect, test } from 'vitest';
import type { MigrationEvent, SwitchoverSummary } from '../domain/event.ts';
import type { Finding } from '../domain/finding.ts';
import { checkText, summarize } from './check-text.ts';
import { planText } from './plan-text.ts';
import { buildReport, type ReportFacts } from './report.ts';
import { reportText } from './report-text.ts';
import { type MigrationStatus, statusText } from './status.ts';
import { switchoverText } from './switchover-lines.ts';
import { verifyText } from './verify-text.ts';

const PLAIN = { color: false, ascii: false };

describe('check', () => {
  const findings: Finding[] = [
    {
      id: 'PGG151',
      severity: 'blocker',
      title: 'transaction open for 3 h',
      fix: 'SELECT 1;\nSELECT 2;',
      fixOn: 'source',
      blocks: 'the snapshot',
    },
    { id: 'PGG101', severity: 'ok', title: 'wal_level = logical' },
    { id: 'PGG104', severity: 'ok', title: '4 slots free' },
    { id: 'PGG131', severity: 'warning', title: 'no primary key', object: 'public.sessions' },
  ];

  test('what passed first, blockers last, each with its mend', () => {
    expect(checkText(findings, true, 'pgglide sync', PLAIN).split('\n')).toEqual([
      '  ✔ PGG101 wal_level = logical   ✔ PGG104 4 slots free',
      '  ▲ PGG131 no primary key   public.sessions',
      '  ✖ PGG151 transaction open for 3 h',
      '      fix on the source: SELECT 1;',
      '                         SELECT 2;',
      '      blocks: the snapshot',
      '2 passed, 1 warning, 1 blocker.   Next: fix PGG151, then pgglide check   (background: pgglide explain PGG151)',
    ]);
    expect(summarize(findings)).toEqual({ passed: 2, notes: 0, warnings: 1, blockers: 1 });
  });

  test('nothing in the way', () => {
    expect(checkText(findings.slice(1, 2), false, 'pgglide sync', PLAIN)).toBe(
      '1 passed.   Next: pgglide sync',
    );
  });
});

test('a plan names the server once a statement', () => {
  const plan = {
    sections: [
      { title: 'Publish', lines: [{ on: 'source', statement: 'CREATE PUBLICATION p\n  FOR TABLE t' }] },
      { title: 'Nothing', lines: [] },
    ],
  };
  expect(planText(plan, PLAIN).split('\n')).toEqual([
    'Publish',
    '  source   CREATE PUBLICATION p',
    '             FOR TABLE t',
    '',
    'Nothing',
    '  nothing to do',
  ]);
});

test('a plan of very many statements', () => {
  const lines = Array.from({ length: 300_000 }, () => ({ on: 'target', statement: 'ANALYZE t' }));
  expect(planText({ sections: [{ title: 'Analyze', lines }] }, PLAIN)).toMatch(
    /^Analyze\n {2}target {3}ANALYZE t\n/,
  );
});

describe('verify', () => {
  const table = (name: string, equal: boolean) => ({
    table: name,
    equal,
    sourceRows: 1000,
    targetRows: equal ? 1000 : 999,
    fingerprint: 'ab',
    ms: 1,
  });
  const summary = (equal: boolean) => ({
    mode: 'online' as const,
    equal,
    tables: [table('public.a', true), table('public.b', equal)],
    sequencesEqual: undefined,
    seconds: 1.5,
  });

  test('equal', () => {
    const text = verifyText({ summary: summary(true), differingRows: [], unsettledRows: 0 }, 'source', PLAIN);
    expect(text).toContain('✔ 2 of 2 tables equal, 2 000 rows in 1.5 s, under load');
    expect(text).toContain('· set at the cutover');
    expect(text).toContain('Next: pgglide cutover --dry-run');
  });

  test('different: the row, its key, both values', () => {
    const row = { table: { schema: 'public', name: 'b' }, key: [{ name: 'id', value: '5521' }], copies: 1 };
    const text = verifyText(
      {
        summary: summary(false),
        unsettledRows: 3,
        differingRows: [
          { ...row, kind: 'changed', columns: [{ name: 'note', source: 'x\x1by', target: null }] },
          { ...row, kind: 'missing-on-target', columns: [] },
        ],
      },
      'target',
      PLAIN,
    );
    expect(text).toContain('public.b: source 1 000 rows, target 999 rows');
    expect(text).toContain('public.b  id=5521   note   source x?y   target NULL');
    expect(text).toContain('public.b  id=5521   missing on the target');
    expect(text).toContain('3 rows changed faster than they could be compared');
    expect(text).toMatch(/1 table differs\.$/);
  });
});

const SUMMARY: SwitchoverSummary = {
  direction: 'cutover',
  from: 'source',
  to: 'target',
  epoch: 1,
  pauseMs: 49.4,
  waits: {
    heldRequests: 212,
    longestWaitMs: 53.2,
    p50Ms: 12,
    p95Ms: 40,
    p99Ms: 50,
    failedRequests: 0,
    sessionsMoved: 16,
  },
  steps: [{ id: 'pause', title: 'hold new queries', ms: 4, paused: true }],
  sequences: 87,
  drainedLsn: '5/8A21F3C8',
};

test('the result of a switchover says what a user must know', () => {
  expect(switchoverText({ summary: SUMMARY, verification: undefined }, PLAIN)).toBe(
    'Traffic is on the TARGET. Held 49 ms, longest wait 53 ms, failed requests 0. Roll back: pgglide rollback',
  );
  const note = 'The comparison was not finished.';
  expect(switchoverText({ summary: SUMMARY, verification: undefined, note }, PLAIN)).toMatch(
    /^Traffic is on the TARGET\..*\n▲ The comparison was not finished\.$/,
  );
});

const lane = (name: string, tables: number) => ({
  name,
  tables,
  isStreaming: true,
  lagBytes: 18_432,
  lagMs: 40,
  retainedWalBytes: 64 * 1024 ** 2,
});

test('status', () => {
  const status: MigrationStatus = {
    migration: 'shop',
    phase: 'following',
    since: '2026-11-22T02:14:00.000Z',
    at: '2026-11-22T06:26:00.000Z',
    activeSide: 'source',
    epoch: 0,
    source: { address: 'pg15:5432/shop', version: '15.18' },
    target: { address: 'pg16:5432/shop', version: '16.14' },
    link: {
      from: 'source',
      lanes: [lane('fwd_1', 12)],
      isStreaming: true,
      lagBytes: 18_432,
      lagMs: 40,
      retainedWalBytes: 64 * 1024 ** 2,
      walLimitBytes: 20 * 1024 ** 3,
    },
    traffic: 'proxy unix:x, 12 sessions',
    copy: undefined,
    verified: { at: '2026-11-22T06:14:00.000Z', equal: true, tables: 118 },
    ready: [
      { name: 'lag', ok: true },
      { name: 'long transactions', ok: false, detail: '2' },
    ],
    problems: ['a problem'],
    next: 'pgglide cutover --dry-run',
  };
  expect(statusText(status, PLAIN).split('\n')).toEqual([
    'shop     FOLLOWING since 2026-11-22 02:14 UTC     verified 12m0s ago (118 tables equal)',
    'traffic → SOURCE  pg15:5432/shop (15.18)  --logical--> pg16:5432/shop (16.14)     lag 18 kB, 40 ms     WAL held 64 MB of 20 GB',
    'traffic   proxy unix:x, 12 sessions',
    'Ready: lag ✔   long transactions 2 ✖',
    '✖ a problem',
    'Next: pgglide cutover --dry-run',
  ]);
  expect(statusText({ ...status, phase: 'new', others: ['shop1 (switched)'] }, PLAIN)).not.toMatch(
    /SOURCE|NEW/,
  );
  const { link } = status;
  if (link === undefined) throw new Error('no link');
  const lanes = [lane('fwd_1', 12), { ...lane('fwd_2', 1), isStreaming: false, lagMs: undefined }];
  expect(
    statusText({ ...status, link: { ...link, lanes } }, PLAIN)
      .split('\n')
      .slice(2, 4),
  ).toEqual([
    'lane fwd_1 ✔  12 tables     lag 18 kB, 40 ms     WAL held 64 MB',
    'lane fwd_2 ✖  1 tables     lag 18 kB     WAL held 64 MB',
  ]);
});

describe('the report', () => {
  const at = '2026-11-22T06:02:11.000Z';
  const facts: ReportFacts = {
    migration: 'shop-15-to-16',
    generatedAt: at,
    pgglideVersion: '0.1.0',
    phase: 'switched',
    activeSide: 'target',
    source: { address: 'pg15:5432/shop', version: '15.18' },
    target: { address: 'pg16:5432/shop', version: '16.14' },
    sequences: 87,
    notCarried: [{ object: 'publication x', reason: 'not ours' }],
  };
  const events: MigrationEvent[] = [
    { type: 'phase-changed', at, data: { from: 'new', to: 'syncing' } },
    { type: 'step-finished', at, data: { step: 'a', title: 'Already so', outcome: 'unchanged', ms: 1 } },
    { type: 'copy-finished', at, data: { tables: 3, rows: 100, bytes: 1024, seconds: 2 } },
    { type: 'copy-finished', at, data: { tables: 1, rows: 11, bytes: 1024, seconds: 1 } },
    {
      type: 'switchover-aborted',
      at,
      data: { direction: 'cutover', step: 'x', code: 'drain_timeout', message: 'too slow', pauseMs: 2000 },
    },
    { type: 'switchover-finished', at, data: SUMMARY },
    {
      type: 'verification-finished',
      at,
      data: {
        mode: 'pinned',
        equal: true,
        tables: [
          { table: 'public.a', equal: true, sourceRows: 7, targetRows: 7, fingerprint: 'beef', ms: 1 },
        ],
        sequencesEqual: true,
        seconds: 3,
      },
    },
  ];

  test('adds up copies and waits', () => {
    const report = buildReport(events, facts);
    expect(report).toMatchObject({
      outcome: 'success',
      startedAt: at,
      copy: { tables: 4, rows: 111, bytes: 2048, seconds: 3 },
      requests: { held: 212, failed: 0, longestWaitMs: 53.2 },
    });
    expect(report.timeline.map((item) => item.what)).not.toContain('Already so');
    expect(report.wayBack).toContain('pgglide rollback');
  });

  test.each([
    ['following', 'rolled back'],
    ['completed', 'completed'],
    ['aborted', 'aborted'],
  ] as const)('in phase %s', (phase, outcome) => {
    expect(buildReport(events, { ...facts, phase })).toMatchObject({ outcome });
    expect(buildReport([], { ...facts, phase: 'syncing' })).toMatchObject({
      outcome: 'in progress',
      startedAt: undefined,
      requests: { held: 0, failed: 0, longestWaitMs: 0 },
    });
  });

  test('as text: versions, times, rows, fingerprints, waits, the way back', () => {
    const text = reportText(buildReport(events, facts));
    for (const expected of [
      'Migration shop-15-to-16: SUCCESS       15.18 → 16.14',
      '111 rows of 4 tables',
      'longest wait 53 ms',
      'failed 0',
      `Cutover source → target, ${at}`,
      '5/8A21F3C8',
      'too slow (drain_timeout)',
      'public.a',
      'beef',
      'sequences 87',
      'publication x: not ours',
      'pgglide rollback',
    ]) {
      expect(text).toContain(expected);
    }
    expect(text).not.toContain('\x1b');
  });
});
