/** What all checks together come to, and how it is shown. Pure. */

import type { CheckDefinition, CheckResult, GradeResult } from './types.ts';

const PASS_SHARE = 0.8;

export function summarize(
  results: readonly CheckResult[],
  checks: readonly CheckDefinition[],
  facts: Pick<GradeResult, 'seed_id' | 'grader_sha256' | 'tampering' | 'seconds'>,
): GradeResult {
  const score = results.reduce((sum, result) => sum + result.score, 0);
  const max_score = checks.reduce((sum, { points }) => sum + points, 0);
  const passed = new Set(results.filter(({ status }) => status === 'pass').map(({ id }) => id));
  const missing_stars = checks
    .filter(({ id, isStarred }) => isStarred && !passed.has(id))
    .map(({ id }) => id);
  const isPassed =
    score >= max_score * PASS_SHARE && missing_stars.length === 0 && facts.tampering.length === 0;
  return { score, max_score, passed: isPassed, ...facts, missing_stars, tests: results };
}

export const exitCodeOf = ({ passed, tampering }: GradeResult): number =>
  tampering.length > 0 ? 3 : passed ? 0 : 1;

const WORDS = { pass: 'PASS', part: 'PART', fail: 'FAIL', skip: 'SKIP', error: 'ERR ' } as const;
const INDENT = ' '.repeat(29);

export function resultLines(result: GradeResult, withHints: boolean): string[] {
  const { tests, score, max_score, missing_stars, passed, tampering, seconds } = result;
  const stars = missing_stars.length === 0 ? '' : `   ★ missing: ${missing_stars.join(', ')}`;
  const verdict = tampering.length > 0 ? 'TAMPERING' : passed ? 'PASSED' : 'NOT YET';
  return [
    ...tests.flatMap((test) => testLines(test, withHints)),
    ...tampering.map((what) => `TAMPERING  ${what}`),
    `TOTAL  ${score}/${max_score}${stars}   ${verdict}   in ${seconds.toFixed(1)} s`,
  ];
}

function testLines(
  { id, score, max_score, status, output, hint }: CheckResult,
  withHints: boolean,
): string[] {
  const points = `${score}/${max_score}`.padEnd(6);
  const line = `[${WORDS[status]}]  ${points} ${id.padEnd(14)}  ${output}`;
  return hint === undefined || !withHints ? [line] : [line, `${INDENT}hint: ${hint}`];
}

export const listLines = (checks: readonly CheckDefinition[]): string[] =>
  checks.map(
    ({ id, name, points, isStarred }) =>
      `${String(points).padStart(3)}  ${isStarred ? '★' : ' '} ${id.padEnd(15)} ${name}`,
  );
