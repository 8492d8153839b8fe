/** The learner's report: is it whole, and is it true? Its figures are held against ledger and servers. */

import type { Ledger } from '../../../load/ledger.ts';
import { reportPath } from '../../report-file.ts';
import { countRows, withSession } from '../../session.ts';
import { parseReport, REPORT_FIELDS, type Report } from '../report-text.ts';
import { switchTimes } from '../switch-times.ts';
import type { CheckDefinition, Verdict } from '../types.ts';
import { AROUND_MS, waitsTold } from '../waits-told.ts';
import { failuresOf } from '../witness.ts';
import { type GradeWorld, targetOf } from '../world.ts';
import { versionsOf } from './servers.ts';

const noReport = (): Verdict => ({
  score: 0,
  output: `there is no report in ${reportPath()}, or it cannot be read`,
  hint: 'task 6',
});

export const reportExists: CheckDefinition = {
  id: 'report-exists',
  name: 'the report says what a reader needs',
  points: 2,
  async run({ reportText }) {
    if (reportText === undefined) return noReport();
    const report = parseReport(reportText);
    const missing = REPORT_FIELDS.filter((field) => report[field.key] === undefined).map(
      ({ label }) => label,
    );
    if (missing.length === 0) return { score: 2, output: 'all there' };
    return {
      score: missing.length <= 3 ? 1 : 0,
      output: `not found: ${missing.join(', ')}`,
      hint: 'One line each, as "Failed requests: 0". See the README, task 6.',
    };
  },
};

export interface Truth {
  readonly sourceVersion: string;
  readonly targetVersion: string;
  /** ms since 1970: every moment at which the application began to write to the target. */
  readonly cutoversMs: readonly number[];
  readonly setUpMs: number;
  readonly nowMs: number;
  readonly leastRows: number;
  readonly mostRows: number;
  readonly failed: number;
  /** Around the cutover, and of all the time, as they were told at any moment since. */
  readonly longestWaitsMs: readonly number[];
}

export const reportTrue: CheckDefinition = {
  id: 'report-true',
  name: 'the figures of the report agree with ledger and servers',
  points: 4,
  async run(world) {
    if (world.reportText === undefined) return noReport();
    if (world.target === undefined) return { score: 0, output: 'there is no target to report on' };
    const report = parseReport(world.reportText);
    const truth = await truthOf(world, report);
    const untrue = untrueFields(report, truth);
    if (untrue.length === 0) return { score: 4, output: 'every figure agrees', evidence: truth };
    return {
      score: 0,
      output: `does not agree: ${untrue.join(', ')}`,
      hint: 'Take times from the servers, requests and waits from `lab/labctl.sh traffic`.',
      evidence: truth,
    };
  },
};

async function truthOf(world: GradeWorld, report: Report): Promise<Truth> {
  const { ledger, baseline } = world;
  const target = targetOf(world);
  const versions = await versionsOf(world);
  const { cutoversMs } = await withSession(target, (session) => switchTimes(session, ledger.header.run));
  const mostRows = await withSession(target, countRows);
  return {
    sourceVersion: versions.source,
    targetVersion: versions.target,
    cutoversMs,
    setUpMs: Date.parse(baseline.createdAt),
    nowMs: Date.now(),
    leastRows: baseline.seededRows,
    mostRows,
    failed: failuresOf(ledger).failed,
    longestWaitsMs: cutoversMs.flatMap((at) => waitsSince(at, report, ledger)),
  };
}

const CLOCK_TOLERANCE_MS = 1_000;

const isThen = (at: number, cutoverMs: number | undefined): boolean =>
  cutoverMs !== undefined && Math.abs(at - cutoverMs) <= CLOCK_TOLERANCE_MS;

/** The learner looked around the moment that he calls the cutover: it is not to the millisecond what the server says. */
function waitsSince(at: number, { cutoverMs }: Report, ledger: Ledger): number[] {
  const askedFromMs = at + CLOCK_TOLERANCE_MS;
  const centres = isThen(at, cutoverMs) ? [at, cutoverMs ?? at] : [at];
  const windows = centres.map((centre) => ({ fromMs: centre - AROUND_MS, toMs: centre + AROUND_MS }));
  const ever = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
  return [...windows, ever].flatMap((window) => waitsTold(ledger, { ...window, askedFromMs }));
}

const SHARE = 0.05;
const WAIT_TOLERANCE_MS = 25;

/** Labels of what is missing or wrong. */
export function untrueFields(report: Report, truth: Truth): string[] {
  const { cutoverMs, startedMs, rows, failed, longestWaitMs } = report;
  const isNear = (value: number | undefined, wanted: number, least: number) =>
    value !== undefined && Math.abs(value - wanted) <= Math.max(least, wanted * SHARE);
  const isTrue = {
    'source version': report.sourceVersion === truth.sourceVersion,
    'target version': report.targetVersion === truth.targetVersion,
    'cutover time': truth.cutoversMs.some((at) => isThen(at, cutoverMs)),
    start:
      startedMs !== undefined &&
      startedMs >= truth.setUpMs - CLOCK_TOLERANCE_MS &&
      startedMs <= Math.min(cutoverMs ?? 0, truth.nowMs),
    rows: rows !== undefined && rows >= truth.leastRows * (1 - SHARE) && rows <= truth.mostRows * (1 + SHARE),
    'failed requests': isNear(failed, truth.failed, 0),
    'longest wait': truth.longestWaitsMs.some((wait) => isNear(longestWaitMs, wait, WAIT_TOLERANCE_MS)),
  };
  return Object.entries(isTrue).flatMap(([label, holds]) => (holds ? [] : [label]));
}
