import { expect, test } from 'vitest';
import { pointsFor } from './checks/load.ts';
import { behindOf, type SequenceState } from './checks/sequences.ts';
import { CHECKS } from './checks.ts';
import { exitCodeOf, resultLines, summarize } from './result.ts';
import type { CheckResult } from './types.ts';

const all = (change: (result: CheckResult) => Partial<CheckResult> = () => ({})): CheckResult[] =>
  CHECKS.map(({ id, name, points }) => {
    const result: CheckResult = {
      id,
      name,
      score: points,
      max_score: points,
      status: 'pass',
      output: 'so',
      hint: undefined,
      evidence: undefined,
    };
    return { ...result, ...change(result) };
  });
const sum = (results: CheckResult[], tampering: string[] = []) =>
  summarize(results, CHECKS, { seed_id: 's', grader_sha256: 'g', tampering, seconds: 1 });

test('twenty checks give a hundred points', () => {
  expect(CHECKS).toHaveLength(20);
  expect(sum(all())).toMatchObject({ score: 100, max_score: 100, passed: true, missing_stars: [] });
});

test('80 points pass, but not without every star', () => {
  const lost = (ids: string[]) => all(({ id }) => (ids.includes(id) ? { score: 0, status: 'fail' } : {}));
  const enough = sum(lost(['schema-equal', 'rows-baseline', 'rollback-ready']));
  expect([enough.score, exitCodeOf(enough)]).toEqual([80, 0]);
  const starless = sum(lost(['load-kept']));
  expect([starless.score, starless.missing_stars, exitCodeOf(starless)]).toEqual([95, ['load-kept'], 1]);
});

test('tampering undoes everything, and is said', () => {
  const result = sum(all(), ['the ledger was changed']);
  expect([result.passed, exitCodeOf(result)]).toEqual([false, 3]);
  expect(resultLines(result, true).at(-2)).toContain('the ledger was changed');
  expect(resultLines(result, true).at(-1)).toMatch(/^TOTAL {2}100\/100 {3}TAMPERING/);
});

test('hints are shown unless they are not wanted', () => {
  const result = sum(all(({ id }) => (id === 'settings' ? { score: 2, status: 'part', hint: 'roles' } : {})));
  expect(resultLines(result, true).join('\n')).toContain('[PART]  2/3    settings');
  expect(resultLines(result, true).join('\n')).toContain('hint: roles');
  expect(resultLines(result, false).join('\n')).not.toContain('hint');
});

test('points by a scale', () => {
  const scale = [
    [0, 12],
    [5, 6],
    [50, 2],
  ] as const;
  expect([0, 1, 5, 6, 50, 51].map((failed) => pointsFor(failed, scale))).toEqual([12, 6, 6, 2, 2, 0]);
});

test('sequences: up, down, unused and missing', () => {
  const up: SequenceState = {
    sequence: 'up',
    increment: 1,
    table: 't',
    column: 'id',
    furthestKey: 9,
    next: 10,
  };
  const down = { ...up, sequence: 'down', increment: -1, furthestKey: -9, next: -10 };
  const unused = { ...up, sequence: 'unused', table: null, column: null, furthestKey: null, next: 5 };
  const wanted = [up, down, unused];
  expect(behindOf(wanted, wanted)).toEqual([]);
  expect(
    behindOf(
      [
        { ...up, next: 9 },
        { ...down, next: -9 },
        { ...unused, next: 1 },
      ],
      wanted,
    ),
  ).toEqual(['up', 'down', 'unused']);
  expect(behindOf([up], [up, down])).toEqual(['down']);
});
