/** The report for people. Pure; no colours: it is made to be kept. */

import type { VerificationSummary } from '../domain/event.ts';
import { printable } from './printable.ts';
import { formatBytes, formatCount, formatDuration } from './quantity.ts';
import type { ReportData, ReportedSwitchover } from './report.ts';
import { painter } from './style.ts';
import { stepLine } from './switchover-lines.ts';

const paint = painter({ color: false, ascii: false });

export function reportText(report: ReportData): string {
  return [
    head(report),
    ...report.switchovers.map(switchoverSection),
    abortedSection(report),
    evidence(report),
    notCarried(report),
    section(
      'Warnings',
      report.warnings.map((warning) => printable(`${warning.code}: ${warning.message}`)),
    ),
    section(
      'Timeline',
      report.timeline.map(({ at, what }) => `${at}  ${printable(what)}`),
    ),
    section('The way back', [report.wayBack]),
    `Written by pgglide ${report.pgglideVersion} at ${report.generatedAt}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const section = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n');

function head(report: ReportData): string {
  const { source, target, copy, requests, switchovers } = report;
  const versions = `${source.version ?? '?'} ${paint.arrow} ${target.version ?? '?'}`;
  const copied =
    copy === undefined ? '' : `       ${formatBytes(copy.bytes)} in ${formatDuration(copy.seconds * 1000)}`;
  return [
    `Migration ${printable(report.migration)}: ${report.outcome.toUpperCase()}       ${versions}${copied}`,
    `  source   PostgreSQL ${source.version ?? '(not reachable)'}   ${printable(source.address)}`,
    `  target   PostgreSQL ${target.version ?? '(not reachable)'}   ${printable(target.address)}`,
    `  traffic  on the ${report.activeSide.toUpperCase()} (phase ${report.phase})`,
    `  started  ${report.startedAt ?? 'not yet'}`,
    ...(copy === undefined
      ? []
      : [`  copied   ${formatCount(copy.rows)} rows of ${formatCount(copy.tables)} tables`]),
    ...(switchovers.length === 0
      ? []
      : [
          `  requests held ${formatCount(requests.held)}   failed ${requests.failed}   longest wait ${formatDuration(requests.longestWaitMs)}`,
        ]),
  ].join('\n');
}

function switchoverSection(switchover: ReportedSwitchover): string {
  const { direction, from, to, at, waits, drainedLsn, pauseMs } = switchover;
  const lines = [
    `held ${formatDuration(pauseMs)}   longest wait ${formatDuration(waits.longestWaitMs)}   p99 ${formatDuration(waits.p99Ms)}   p50 ${formatDuration(waits.p50Ms)}`,
    `requests held ${formatCount(waits.heldRequests)}   failed ${waits.failedRequests}   sessions moved ${formatCount(waits.sessionsMoved)}`,
    `everything up to ${drainedLsn} had arrived   sequences set ${formatCount(switchover.sequences)}`,
    ...switchover.steps.map((step, index) => stepLine(step, index + 1, paint)),
  ];
  return section(`${capital(direction)} ${from} ${paint.arrow} ${to}, ${at}`, lines);
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const abortedSection = ({ aborted }: ReportData): string =>
  section(
    'Given up, traffic left where it was',
    aborted.map(
      ({ at, direction, step, code, message, pauseMs }) =>
        `${at}  ${direction} at ${printable(step)} after ${formatDuration(pauseMs)}: ${printable(message)} (${code})`,
    ),
  );

function evidence(report: ReportData): string {
  const { verifications, sequences } = report;
  const lines = verifications.flatMap((verification) => {
    const equal = verification.tables.filter((table) => table.equal).length;
    const how = verification.mode === 'pinned' ? 'both sides at one instant' : 'under load';
    return [
      `${verification.at}  ${equal}/${verification.tables.length} tables equal, ${how}, ${formatDuration(verification.seconds * 1000)}`,
    ];
  });
  const last = verifications.at(-1);
  return section('Evidence', [
    ...lines,
    ...(last === undefined ? [] : fingerprintLines(last)),
    ...(sequences > 0 ? [`sequences ${formatCount(sequences)}`] : []),
  ]);
}

function fingerprintLines({ tables }: VerificationSummary): string[] {
  return tables.map(
    ({ table, equal, sourceRows, fingerprint }) =>
      `${equal ? '=' : '!'} ${printable(table).padEnd(40)} ${formatCount(sourceRows).padStart(14)} rows   ${fingerprint}`,
  );
}

const notCarried = (report: ReportData): string =>
  section(
    'Not carried over',
    report.notCarried.map(({ object, reason }) => printable(`${object}: ${reason}`)),
  );
