import { expect, test } from 'vitest';
import { type Truth, untrueFields } from './checks/report.ts';
import { parseReport } from './report-text.ts';

const REPORT = `# Migration report

- **Source version**: PostgreSQL 15.18 (embedded)
Target version: 16.14
Started: 2026-11-22T06:00:00Z
Cutover at: 2026-11-22 06:02:11.250 UTC
Rows: 20,128 rows
Failed requests: 0
Longest wait: 0.085 s
Rollback steps: point the shop at the proxy, then roll back
Rows: 7
`;

const truth: Truth = {
  sourceVersion: '15.18',
  targetVersion: '16.14',
  cutoversMs: [Date.parse('2026-11-22T06:02:11.900Z')],
  setUpMs: Date.parse('2026-11-22T05:59:00Z'),
  nowMs: Date.parse('2026-11-22T06:05:00Z'),
  leastRows: 20_000,
  mostRows: 21_000,
  failed: 0,
  longestWaitsMs: [86.2, 400],
};

test('labels are found whatever stands around them; the first of each counts', () => {
  expect(parseReport(REPORT)).toEqual({
    sourceVersion: '15.18',
    targetVersion: '16.14',
    startedMs: Date.parse('2026-11-22T06:00:00Z'),
    cutoverMs: Date.parse('2026-11-22T06:02:11.250Z'),
    rows: 20_128,
    failed: 0,
    longestWaitMs: 85,
    rollback: 'point the shop at the proxy, then roll back',
  });
});

test.each([
  '2026-11-22T06:02:11.25Z',
  '2026-11-22 06:02:11.25',
  '2026-11-22 06:02:11.25 UTC',
  '2026-11-22 07:02:11.25+01',
  '2026-11-22T07:02:11.250+0100, seen by the target',
  '2026-11-22 11:32:11.25 +05:30',
])('%s is one moment', (text) => {
  expect(parseReport(`Cutover: ${text}`).cutoverMs).toBe(Date.parse('2026-11-22T06:02:11.250Z'));
});

test('what cannot be read is not there', () => {
  expect(parseReport('Cutover: in the night\nRows: many\nRollback: no\n')).toEqual({});
});

test('a true report agrees', () => {
  expect(untrueFields(parseReport(REPORT), truth)).toEqual([]);
});

test.each([
  ['source version', { sourceVersion: '15.17' }],
  ['cutover time', { cutoversMs: [Date.parse('2026-11-22T06:02:13Z')] }],
  ['start', { setUpMs: Date.parse('2026-11-22T06:01:00Z') }],
  ['rows', { leastRows: 30_000, mostRows: 31_000 }],
  ['failed requests', { failed: 3 }],
  ['longest wait', { longestWaitsMs: [400] }],
])('an invented %s is found', (label, other) => {
  expect(untrueFields(parseReport(REPORT), { ...truth, ...other })).toEqual([label]);
});
